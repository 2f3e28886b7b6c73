#!/bin/bash
# The work of a container with a crontab instead of a server: every few seconds several children, some at the same time.
state=/var/lib/work
log=/var/log/work.log
trap 'echo "$(date) ends" >> "$log"; exit 0' TERM
mkdir -p "$state/queue" "$state/archive"
[ -s "$state/rounds" ] || echo 0 > "$state/rounds"

count_words() {
  tr -cs '[:alpha:]' '\n' < /usr/share/common-licenses/GPL-3 | sort | uniq -c | sort -rn | head -n 20 > "$state/words.new"
  mv "$state/words.new" "$state/words"
}

take_queue() {
  for i in 1 2 3; do mktemp "$state/queue/job.XXXXXXXX" > /dev/null; done
  find "$state/queue" -type f -name 'job.*' | while read -r job; do
    md5sum "$job" >> "$state/sums"
    rm "$job"
  done
  tail -n 50 "$state/sums" > "$state/sums.new"
  mv "$state/sums.new" "$state/sums"
}

back_up() {
  tar -czf "$state/archive/$(date +%Y%m%d-%H%M%S).tar.gz" -C "$state" words rounds 2> /dev/null
  ls -t "$state/archive" | tail -n +4 | while read -r old; do rm -f "$state/archive/$old"; done
}

rotate() {
  [ "$(stat -c %s "$log")" -lt 500 ] && return
  gzip -c "$log" > "$log.1.gz"
  : > "$log"
}

while :; do
  echo "$(date) begins" >> "$log"
  count_words &
  take_queue &
  wait
  setsid bash -c 'ps ax | grep -c work; df / | tail -n 1' >> "$log" 2>&1 < /dev/null
  back_up
  rotate
  read -r round < "$state/rounds"
  echo $((round + 1)) > "$state/rounds"
  sleep 1 &
  wait $!
done
