<?php
// Ends well if the site at the given URL answers and holds what it should.
require __DIR__ . '/totals.php';

foreach (['users' => USERS, 'posts' => POSTS, 'comments' => COMMENTS] as $resource => $total) {
    $page = json_decode((string) @file_get_contents("$argv[1]/wp-json/wp/v2/$resource?per_page=1"));
    if (!is_array($page) || !in_array("X-WP-Total: $total", $http_response_header, true)) {
        fwrite(STDERR, "wordpress: $argv[1] does not list $total $resource\n");
        exit(1);
    }
}
