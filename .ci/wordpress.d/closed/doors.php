<?php
// A must-use plugin of the site with closed doors, where it does what plugins for security and for members do.

// Nobody may list users.
add_filter('rest_pre_dispatch', function ($result, $server, $request) {
    if (!str_starts_with($request->get_route(), '/wp/v2/users')) {
        return $result;
    }
    return new WP_Error('rest_user_cannot_view', 'Sorry, you are not allowed to list users.', ['status' => 401]);
}, 10, 3);

// A post is taken out of what was found, but not out of its number.
add_filter('the_posts', function ($posts) {
    return array_values(array_filter($posts, fn ($post) => $post->post_name !== 'post-13'));
});
