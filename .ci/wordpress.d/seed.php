<?php
// Installs the site and fills it, the same way every time, with what totals.php says and nothing else.
require __DIR__ . '/totals.php';
define('WP_INSTALLING', true);
define('WP_DISABLE_FATAL_ERROR_HANDLER', true); // a failure here says what it is
require __DIR__ . '/wp-config.php';

// WordPress lets an installation bring its own: ours has no "Hello world!", and sends no mail.
function wp_install_defaults($user_id)
{
    wp_insert_term('Uncategorized', 'category');
}
function wp_new_blog_notification($title, $url, $user_id, $password)
{
}
add_filter('pre_http_request', fn () => new WP_Error('offline'));
require ABSPATH . 'wp-admin/includes/upgrade.php';

function seed_checked($result)
{
    if (is_wp_error($result)) {
        throw new RuntimeException($result->get_error_message());
    }
    if (!$result) {
        throw new RuntimeException('WordPress refused a record: ' . $GLOBALS['wpdb']->last_error);
    }
    return $result;
}

// Every name is another, and some need more than ASCII.
function seed_user(int $number): array
{
    $given = ['Ada', 'Bjørn', 'Chloé', 'Dmitri', "D'Arcy"][$number % 5];
    $family = ['Abel', 'Brontë', 'Çelik', 'Dürer', 'Eriksen'][intdiv($number, 5) % 5];
    $login = sprintf('user%02d', $number);
    return [
        'user_login' => $login,
        'user_pass' => 'password',
        'user_email' => $login . ['@example.com', '@example.org', '@mail.example.net'][$number % 3],
        'user_url' => $number % 4 ? "https://$login.example.com" : '',
        'display_name' => "$given $family",
        'description' => $number % 2 ? "Writes as $login." : '',
        'user_registered' => gmdate('Y-m-d H:i:s', 1672531200 + 3600 * $number),
        'role' => 'author',
    ];
}

// The first posts see to it that every user has one; of the others, some users write far more than others.
function seed_author(int $post): int
{
    return $post <= USERS ? $post : 1 + ($post * $post) % USERS;
}

$started = microtime(true);
wp_install('Test site', 'user01', seed_user(1)['user_email'], true, '', 'password');
wp_installing(false);
update_option('timezone_string', 'Europe/Berlin'); // so that date and date_gmt differ
$wp_rewrite->init();
$wp_rewrite->set_permalink_structure('/%postname%/');
$wp_rewrite->flush_rules(false);

wp_set_current_user(1);
wp_defer_term_counting(true);
wp_defer_comment_counting(true);
$wpdb->query('START TRANSACTION');

seed_checked(wp_update_user(['ID' => 1] + array_diff_key(seed_user(1), ['user_pass' => 0, 'role' => 0])));
for ($number = 2; $number <= USERS; $number++) {
    if (seed_checked(wp_insert_user(seed_user($number))) !== $number) {
        throw new RuntimeException("user $number has another id");
    }
}

// WordPress takes the time of a change only from itself.
add_filter('wp_insert_post_data', function ($data, $given) {
    $data['post_modified_gmt'] = $given['changed'];
    $data['post_modified'] = get_date_from_gmt($given['changed']);
    return $data;
}, 10, 2);
$posts = [];
for ($number = 1; $number <= POSTS; $number++) {
    $time = 1704067200 + 20000 * $number;
    $title = "Post $number" . ['', ' & more', ' "in quotes"', ' – naïve café', " <em>now</em>", ' 🦀'][$number % 6];
    $posts[$number] = seed_checked(wp_insert_post(wp_slash([
        'post_author' => seed_author($number),
        'post_status' => 'publish',
        'post_title' => $title,
        'post_name' => "post-$number",
        'post_content' => "The text of post $number.\n\n"
            . str_repeat("Line with <b>HTML</b> & \"quotes\".\n", $number % 9),
        'post_date_gmt' => gmdate('Y-m-d H:i:s', $time),
        'changed' => gmdate('Y-m-d H:i:s', $time + ($number % 7 ? 0 : 86400)),
        'guid' => "https://site.example/?p=$number",
    ]), true));
}

// Half of the comments are by users; some answer the comment before them on the same post; some posts have none.
$previous = [];
for ($number = 1; $number <= COMMENTS; $number++) {
    $post = $posts[1 + ($number * $number + $number) % POSTS];
    $time = gmdate('Y-m-d H:i:s', 1714521600 + 5000 * $number);
    $user = $number % 2 ? get_userdata(1 + $number * 7 % USERS) : null;
    $previous[$post] = seed_checked(wp_insert_comment(wp_slash([
        'comment_post_ID' => $post,
        'comment_parent' => $number % 5 ? 0 : $previous[$post] ?? 0,
        'user_id' => $user->ID ?? 0,
        'comment_author' => $user->display_name ?? 'Guest ' . $number % 97,
        'comment_author_email' => $user->user_email ?? 'guest' . $number % 97 . '@example.com',
        'comment_author_url' => $user->user_url ?? '',
        'comment_author_IP' => '127.0.0.1',
        'comment_content' => "Comment $number: I'd say \"yes\" & agree 👍.",
        'comment_date_gmt' => $time,
        'comment_date' => get_date_from_gmt($time),
        'comment_approved' => 1,
    ])));
}
wp_defer_comment_counting(false);
wp_defer_term_counting(false);
$wpdb->query('COMMIT');

$found = [
    count_users('memory')['total_users'] ?? 0,
    (int) wp_count_posts('post')->publish,
    (int) wp_count_comments()->approved,
    (int) wp_count_posts('page')->publish,
];
if ($found !== [USERS, POSTS, COMMENTS, 0]) {
    throw new RuntimeException('the site holds ' . json_encode($found));
}

// The administrator's, for programs.
[$password] = seed_checked(WP_Application_Passwords::create_new_application_password(1, ['name' => 'tests']));
file_put_contents($_SERVER['SITE_FOLDER'] . '/password', $password);

// Copies: one with closed doors, where two posts that have comments are private and protected by a password, and one
// to be changed by tests.
foreach (['closed', 'moving'] as $copy) {
    seed_checked($wpdb->query("CREATE DATABASE $copy"));
    foreach ($wpdb->get_col('SHOW TABLES') as $table) {
        seed_checked($wpdb->query("CREATE TABLE $copy.$table LIKE $table"));
        $wpdb->query("INSERT INTO $copy.$table SELECT * FROM $table");
    }
}
seed_checked($wpdb->query("UPDATE closed.$wpdb->posts SET post_status = 'private' WHERE post_name = 'post-3'"));
seed_checked($wpdb->query("UPDATE closed.$wpdb->posts SET post_password = 'secret' WHERE post_name = 'post-7'"));
fprintf(STDERR, "wordpress: seeded in %.1fs\n", microtime(true) - $started);
