#!/usr/bin/env bash
# The same job with two curls at once and jq. The answers are stored as they came, so jq only
# checks them and makes the rest: the least work that these two can do it with.
#
# usage: curl_jq.sh BASE_URL OUTPUT_DIRECTORY
set -euo pipefail
cd "$2"
curl --no-progress-meter --fail --parallel --output users.json "$1/users" --output posts.json "$1/posts"

lacking='def lacking($fields): map(select(. as $record | $fields | all(. as $f | $record | has($f)) | not)) | length;'
jq --compact-output "$lacking"'
  if lacking(["userId", "id", "title", "body"]) > 0 then error("a post lacks a field") else . end
  | group_by(.userId)
  | {posts: (map(length) | add), posts_per_user: map({user_id: .[0].userId, posts: length})}
' posts.json >posts.part &
posts=$!
jq --compact-output "$lacking"'
  if lacking(["id", "name", "username", "email", "address", "phone", "website", "company"]) > 0
  then error("a user lacks a field") else . end
  | map(select(.email | ascii_downcase | endswith(".biz")))
' users.json >filtered_users.json
jq --compact-output 'map(.name)' users.json >user_names.json
wait "$posts"
jq --slurpfile names user_names.json --slurpfile filtered filtered_users.json \
  '. + {users: ($names[0] | length), filtered_users: ($filtered[0] | length)}' posts.part >summary.json
rm posts.part
