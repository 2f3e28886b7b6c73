#!/bin/sh
# Starts containerd if it does not run, and waits until it accepts requests. Its log is /var/log/containerd.log. A
# second call does no harm.
set -eu
if [ ! -S /run/containerd/containerd.sock ]; then
  # Before Linux 5.11, BPF maps and programs count as locked memory; in tests only a rule must refuse them.
  ulimit -l unlimited
  # Less garbage collection, because an emulated CPU is slow and memory suffices.
  GOGC=400 setsid containerd >/var/log/containerd.log 2>&1 </dev/null &
  echo $! >/run/containerd.pid
fi
tries=0
until ctr version >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -gt 300 ]; then
    echo 'containerd does not serve; the end of its log:' >&2
    tail -n 20 /var/log/containerd.log >&2
    exit 1
  fi
  usleep 100000
done
