<?php
// What the site holds.
const USERS = 25;
const POSTS = 400;
const COMMENTS = 1000;
