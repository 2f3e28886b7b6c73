#!/bin/sh
# Imports the image archives below /images, stops containerd, and writes its folder to standard output as a tar archive
# for the disk image-store of later guests. Layers and files of images go to store/; links at containerd's paths lead
# there, so that a guest copies only the links.
set -eu
containerd-up
for archive in /images/*/*.tar; do ctr --namespace k8s.io images import "$archive" >&2; done
kill "$(cat /run/containerd.pid)"
while [ -d "/proc/$(cat /run/containerd.pid)" ]; do usleep 50000; done
cd /var/lib/containerd
mkdir store
for path in io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs io.containerd.content.v1.content/blobs/sha256/*; do
  name="$(echo "$path" | tr / -)"
  mv "$path" "store/$name"
  ln -s "/images/store/store/$name" "$path"
done
tar -c io.* store
