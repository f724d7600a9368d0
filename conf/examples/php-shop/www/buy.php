<?php
// The forms of index.php and order.php come here. httpd sees the header X-WxPay-Order, keeps it to
// itself, and sends the buyer to the payment page instead of what this script prints.
require dirname(__DIR__) . '/shop.php';

$number = text($_POST, 'number');
$good = text($_POST, 'good');
if (isset(GOODS[$good])) {
    $number = date('ymd') . '-' . bin2hex(random_bytes(8));
    db()->prepare('INSERT INTO orders (number, title, fen, ordered_at) VALUES (?, ?, ?, ?)')
        ->execute([$number, GOODS[$good][0], GOODS[$good][1], date('c')]);
}
$order = order($number);
if (!$order) {
    http_response_code(404);
    page(t('没有这个商品或订单', 'No such goods, no such order'), '');
    exit;
}
header('X-WxPay-Order: ' . http_build_query([
    'out_trade_no' => $order['number'],
    'total_fee' => $order['fen'],
    'body' => $order['title'],
    'return_url' => '/order.php?number=' . $order['number'],
]));
page(t('暂时不能付款', 'No payments now'), 'WxPayHandoff is not On for this directory.');
