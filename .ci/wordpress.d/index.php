<?php
// Answers every request. The REST API is all there is: the site has no theme.
require __DIR__ . '/wp-config.php';
wp();
