#!/usr/bin/env bash
# The same job with two curls at once and jq. The answers are stored as they came, so jq only
# checks them and makes the rest: the least work that these two can do it with.
#
# usage: curl_jq.sh BASE_URL OUTPUT_DIRECTORY
set -euo pipefail
cd "$2"
curl --no-progress-meter --fail --parallel --output users.json "$1/users" --output posts.json "$1/posts"

jq --compact-output '
  if all(.[]; has("userId") and has("id") and has("title") and has("body"))
  then group_by(.userId) else error("a post lacks a field") end
  | {posts: (map(length) | add), posts_per_user: map({user_id: .[0].userId, posts: length})}
' posts.json >posts.part &
posts=$!
jq --compact-output '
  if all(.[]; has("id") and has("name") and has("username") and has("email")
    and has("address") and has("phone") and has("website") and has("company"))
  then map(select(.email | ascii_downcase | endswith(".biz"))) else error("a user lacks a field") end
' users.json >filtered_users.json
jq --compact-output 'map(.name)' users.json >user_names.json
wait "$posts"
jq --slurpfile names user_names.json --slurpfile filtered filtered_users.json \
  '. + {users: ($names[0] | length), filtered_users: ($filtered[0] | length)}' posts.part >summary.json
rm posts.part
