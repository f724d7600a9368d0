<?php
// httpd calls this when an order is paid, and again until the answer is 2xx. Nobody else gets in.
http_response_code(500); // whatever happens below: only the last line says that it is done
require dirname(__DIR__) . '/shop.php';

if (!isset($_SERVER['WXPAY_PAID']) || $_SERVER['WXPAY_PAID'] !== '1') {
    // Another event (order.closed, say), which this shop does nothing about; or not from httpd.
    http_response_code(isset($_SERVER['WXPAY_VERIFIED']) ? 204 : 404);
    exit;
}
$db = db();
$db->beginTransaction();
$event = $db->prepare('INSERT OR IGNORE INTO events (id) VALUES (?)');
$event->execute([$_SERVER['WXPAY_EVENT_ID']]);
if ($event->rowCount() === 1) { // else it was here before
    $order = $db->prepare('UPDATE orders SET paid_at = ?, transaction_id = ?
                           WHERE number = ? AND fen = ?');
    $order->execute([$_SERVER['WXPAY_TIME_END'], $_SERVER['WXPAY_TRANSACTION_ID'],
                     $_SERVER['WXPAY_OUT_TRADE_NO'], $_SERVER['WXPAY_TOTAL_FEE']]);
    if ($order->rowCount() !== 1) {
        // Money for an order that the shop doesn't have (a restored backup?): don't say that all is
        // well. httpd keeps telling for three days and then keeps it, to be sent again.
        throw new Exception('paid, but not ordered so: ' . $_SERVER['WXPAY_OUT_TRADE_NO']);
    }
    // What happens once per paid order belongs here, into the same transaction.
    $db->prepare('INSERT INTO parcels (number) VALUES (?)')
        ->execute([$_SERVER['WXPAY_OUT_TRADE_NO']]);
}
$db->commit();
http_response_code(204);
