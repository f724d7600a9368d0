<?php
// The goods, each with a form that leads to buy.php.
require dirname(__DIR__) . '/shop.php';

$cards = '';
foreach (GOODS as $key => list($title, $fen)) {
    $cards .= '<form class="card" method="post" action="/buy.php"><h2>' . h($title) . '</h2>'
        . '<p class="fee">' . yuan($fen) . '</p>'
        . '<button name="good" value="' . h($key) . '">' . t('购买', 'Buy') . '</button></form>';
}
page(t('商品', 'Goods'), '<div class="goods">' . $cards . '</div>');
