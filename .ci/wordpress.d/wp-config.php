<?php
// The configuration of the test site. Folder and URL come from whoever runs PHP: nginx, or the shell for the seed.
define('WP_HOME', $_SERVER['SITE_URL']);
define('WP_SITEURL', $_SERVER['SITE_URL']);
define('WP_CONTENT_DIR', $_SERVER['SITE_FOLDER'] . '/wp-content');

define('DB_HOST', 'localhost:' . $_SERVER['SITE_FOLDER'] . '/mariadb.sock');
// The site is there three times: as it is, with closed doors, and to be changed while others look.
define('DB_NAME', $_SERVER['SITE_NAME'] ?? 'wordpress');
if (DB_NAME === 'closed') {
    define('WPMU_PLUGIN_DIR', __DIR__ . '/closed');
}
define('WP_ENVIRONMENT_TYPE', 'local'); // passwords for applications are taken without TLS
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
$table_prefix = 'wp_';

// The site keeps to itself, and to what the seed put into it.
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('DISALLOW_FILE_MODS', true);
define('WP_POST_REVISIONS', false);

define('ABSPATH', '/usr/share/wordpress/');
require ABSPATH . 'wp-settings.php';
