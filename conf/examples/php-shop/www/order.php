<?php
// The buyer comes back here. What counts is what paid.php wrote, not that somebody came.
require dirname(__DIR__) . '/shop.php';

$order = order(text($_GET, 'number'));
if (!$order) {
    http_response_code(404);
    page(t('没有这个订单', 'No such order'), '');
    exit;
}
$html = '<h2>' . h($order['title']) . '</h2><p class="fee">' . yuan($order['fen']) . '</p>'
    . '<p class="number">' . h($order['number']) . '</p>';
if ($order['paid_at'] !== null) {
    $html .= '<p class="paid">' . t('已支付，正在备货。', 'Paid. We are packing it.') . '</p>';
} else {
    $html .= '<p>' . t('正在确认付款。', 'Your payment is being confirmed.') . '</p>'
        . '<form method="post" action="/buy.php">' . t('还没有付款？', 'Not paid yet?')
        . ' <button name="number" value="' . h($order['number']) . '">'
        . t('去支付', 'Pay now') . '</button></form>';
}
page(t('我的订单', 'Your order'), '<div class="card">' . $html . '</div>',
    $order['paid_at'] === null ? 3 : 0);
