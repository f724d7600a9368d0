<?php
// What the shop's scripts share. It lies outside the document root, and so does the database.

// The price list: title and price in fen (1990 is ¥19.90). A price never comes out of a form.
const GOODS = [
    'tea' => ['龙井茶 50g', 1990],
    'fan' => ['湘妃竹折扇', 5800],
    'try' => ['试付 1 分钱', 1],
];

// Whatever goes wrong is in PHP's log; the visitor gets a sentence and status 500.
set_exception_handler(function ($error) {
    error_log($error->getMessage() . ' in ' . $error->getFile() . ':' . $error->getLine());
    http_response_code(500);
    page(t('出错了，请稍后再试', 'Something went wrong; please try again later'), '');
});

function db()
{
    static $db = null;
    if ($db === null) {
        $db = new PDO('sqlite:' . __DIR__ . '/data/shop.db', null, null, [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
            PDO::ATTR_TIMEOUT => 5,
        ]);
        $db->exec('CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, title TEXT NOT NULL,
            fen INTEGER NOT NULL, ordered_at TEXT NOT NULL, paid_at TEXT, transaction_id TEXT)');
        $db->exec('CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY)');
        $db->exec('CREATE TABLE IF NOT EXISTS parcels (number TEXT NOT NULL)');
    }
    return $db;
}

// An order, or false. Its title and price are those of the day when it was ordered.
function order($number)
{
    $found = db()->prepare('SELECT * FROM orders WHERE number = ?');
    $found->execute([$number]);
    return $found->fetch();
}

// A field of a form or query string; '' when it isn't there or is no text.
function text(array $fields, $name)
{
    return isset($fields[$name]) && is_string($fields[$name]) ? $fields[$name] : '';
}

function h($text)
{
    return htmlspecialchars($text, ENT_QUOTES, 'UTF-8');
}

function yuan($fen)
{
    return '¥' . number_format($fen / 100, 2);
}

// The visitor's language.
function t($chinese, $english)
{
    $accepted = isset($_SERVER['HTTP_ACCEPT_LANGUAGE']) ? $_SERVER['HTTP_ACCEPT_LANGUAGE'] : '';
    return strncasecmp($accepted, 'en', 2) === 0 ? $english : $chinese;
}

function page($title, $html, $refresh = 0)
{
    header('Content-Type: text/html; charset=utf-8');
    header('Cache-Control: no-store');
    echo '<!DOCTYPE html><html lang="', t('zh-CN', 'en'), '"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        $refresh ? '<meta http-equiv="refresh" content="' . (int) $refresh . '">' : '',
        '<title>', h($title), '</title><style>',
        'body{margin:0 auto;max-width:60rem;padding:1rem;background:#f6f4ef;color:#22201c;',
        'font:16px/1.55 system-ui,"PingFang SC","Noto Sans CJK SC","Microsoft YaHei",sans-serif}',
        'a{color:#17542f}h1{font-size:1.4rem}h2{font-size:1.05rem;margin:0}',
        '.goods{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(14rem,1fr))}',
        '.card{background:#fff;border:1px solid #e4dfd4;border-radius:.9rem;padding:1.2rem}',
        '.fee{font-size:1.35rem;font-weight:700;margin:.4rem 0}.number{color:#6a6459}',
        'button{font:inherit;font-weight:600;border:0;border-radius:.6rem;padding:.65rem 1.4rem;',
        'background:#1f6b3f;color:#fff;cursor:pointer}.paid{color:#12502c;font-weight:700}',
        '@media (prefers-color-scheme:dark){body{background:#171512;color:#ece8df}a{color:#8fd3a8}',
        '.card{background:#211e1a;border-color:#37322b}.number{color:#a9a294}.paid{color:#8fd3a8}}',
        '</style></head><body><p><a href="/">', t('清风小铺', 'Breeze &amp; Co.'), '</a></p>',
        '<h1>', h($title), '</h1>', $html, '</body></html>';
}
