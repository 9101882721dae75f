# What the scripts that start a server for the tests share. Sourced by them, not run.
#
# A script sets `name`, `packages` (of Debian), `servers` (in the order in which they are stopped; each has
# FOLDER/NAME.pid, and FOLDER/ in its command line), defines `launch PORT` and whatever else it needs, and calls
# `main "$@"`:
#
#     .ci/NAME start FOLDER    FOLDER/url holds the base URL, once the server answers
#                              (exit code 77: it cannot be had on this system)
#     .ci/NAME stop FOLDER     ends all of its processes; FOLDER stays, and can be started again
#
# All that a server writes is below FOLDER; only packages are installed system-wide.
set -euo pipefail
umask 077
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C.UTF-8

fail() { echo "$name: $*" >&2 && exit 1; }

# Ends with what `.ci/run` takes for a reason to do without this server.
cannot() {
  trap - EXIT
  echo "$name: $*" >&2
  exit 77
}

# The same, of whoever has to tidy up first.
unavailable() { echo "$name: $*" >&2 && exit 77; }

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null | grep -cx installed)" -eq $# ]; }

install_packages() (
  installed "${packages[@]}" && exit
  [ "$(id -u)" -eq 0 ] || fail "as root, install the packages ${packages[*]}"
  policy=/usr/sbin/policy-rc.d # tells the packages not to start their services
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  umask 022
  get=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  "${get[@]}" update || unavailable "the package lists cannot be had"
  for package in "${packages[@]}"; do
    apt-cache show "$package" >/dev/null 2>&1 || unavailable "there is no package $package here"
  done
  # One by one and in this order: where a package would take one of several others, it takes what it finds.
  for package in "${packages[@]}"; do
    "${get[@]}" install --no-install-recommends "$package" >/dev/null || unavailable "$package cannot be installed"
  done
)

# The process of a pid file, if it is alive and ours: a number can be handed out again.
pid_of() {
  local pid
  pid=$(cat "$folder/$1.pid" 2>/dev/null) && [ -n "$pid" ] &&
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$folder/" && echo "$pid"
}

running() {
  local server
  for server in "${servers[@]}"; do pid_of "$server" >/dev/null || return 1; done
}

stop_servers() {
  local server pid tries
  rm -f "$folder/url"
  for server in "${servers[@]}"; do
    if pid=$(pid_of "$server"); then
      kill "$pid" 2>/dev/null || true
      for ((tries = 0; tries < 200; tries++)); do
        pid_of "$server" >/dev/null || break
        sleep 0.1
      done
    fi
    # What is left is its group: the workers, say, of a server that was killed.
    if pid=$(cat "$folder/$server.pid" 2>/dev/null) && [ -n "$pid" ] &&
      { pid_of "$server" >/dev/null || ! grep -q . "/proc/$pid/cmdline" 2>/dev/null; }; then
      kill -KILL -- "-$pid" 2>/dev/null || true
    fi
    rm -f "$folder/$server".{pid,sock}
  done
}

# Runs a command that ends with us, and without our lock.
task=
run() {
  setsid "$@" 9>&- &
  task=$!
  wait "$task"
  task=
}

# Starts a command as server $1, in a group of its own and without our lock.
background() {
  local server=$1
  shift
  setsid "$@" </dev/null >>"$folder/logs/$server.log" 2>&1 9>&- &
  echo $! >"$folder/$server.pid"
}

give_up() {
  trap - EXIT
  if [ "$task" ]; then kill -KILL -- "-$task" 2>/dev/null || true; fi
  stop_servers
  rm -f "$folder/seeded" # the next start begins afresh
  tail -n 20 "$folder"/logs/* >&2 2>/dev/null || true
  fail "it did not start"
}

# Waits until a command succeeds, for as long as server $1 lives: two minutes at most.
await() {
  local server=$1 tries=0
  shift
  until "$@"; do
    if ! pid_of "$server" >/dev/null || ((++tries > 1200)); then
      kill -KILL -- "-$(cat "$folder/$server.pid")" 2>/dev/null || true
      return 1
    fi
    sleep 0.1
  done
}

# Whether a URL is answered with a 200.
answers() {
  python3 -c 'import sys, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(sys.argv[1], timeout=30)' \
    "$1" 2>/dev/null
}

# Not every server can be told to take any free port, so the system names one.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

take_folder() {
  mkdir -p "$folder"
  folder=$(realpath "$folder")
  case $folder in *[!A-Za-z0-9/._+-]*) fail "the folder's path may hold only letters, digits and / . _ + -" ;; esac
  ((${#folder} < 90)) || fail "the folder's path is too long for a socket in it"
  [ -e "$folder/lock" ] || [ -z "$(ls -A "$folder")" ] || fail "$folder holds something else"
  exec 9>"$folder/lock"
  flock 9
}

# What a script does before the server starts; it may be given more arguments.
prepare() { :; }

# Whether a server that runs already is the one that would be started.
current() { :; }

# What FOLDER/seeded says of data that these files and packages made; such data is kept.
seed() { cat "${seeds[@]}" <(dpkg-query -W "${packages[@]}") | sha256sum; }
kept() { [ "$(cat "$folder/seeded" 2>/dev/null)" = "$(seed)" ]; }

start() {
  command -v python3 >/dev/null || fail "it needs python3"
  install_packages
  take_folder
  if running && [ -s "$folder/url" ] && current; then return; fi
  stop_servers
  trap give_up EXIT
  rm -rf "$folder"/{tmp,logs}
  mkdir -p "$folder"/{tmp,logs}
  prepare "$@"
  # Should another take the port first, we ask again.
  local port tries=0
  until port=$(free_port) && launch "$port"; do
    ((++tries < 5))
  done
  echo "http://127.0.0.1:$port" >"$folder/url.new"
  mv "$folder/url.new" "$folder/url"
  trap - EXIT
}

main() {
  [ $# -ge 2 ] || fail "usage: .ci/$name start|stop FOLDER"
  folder=$2
  case $1 in
  start) start "${@:3}" ;;
  stop)
    if [ -d "$folder" ]; then
      folder=$(realpath "$folder")
      stop_servers
    fi
    ;;
  *) fail "usage: .ci/$name start|stop FOLDER" ;;
  esac
}
