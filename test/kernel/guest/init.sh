#!/bin/busybox sh
# The guest's /init, in its initramfs: loads modules, builds the root from read-only disks and memory, and starts
# exec-server. Under emulation each program costs 20 ms, so tables collect the mounts.
B=/bin/busybox
mount_all() { $B mount -a -T "$1"; }
$B mount -t proc proc /proc
cat_lines() { while read -r line; do echo "$line"; done; }
cat_lines >/first <<'TABLE'
dev /dev devtmpfs defaults 0 0
sys /sys sysfs defaults 0 0
upper /upper tmpfs size=90% 0 0
TABLE
mount_all /first
for module in $($B cat /modules/order); do $B insmod "/modules/$module"; done

# A disk's serial identifies the disk, because the kernel may find disks in any order.
images=
for block in /sys/block/vd*; do
  read -r serial <"$block/serial"
  case "$serial" in
  root) root=/dev/${block##*/} ;;
  modules) modules=/dev/${block##*/} ;;
  project) project=/dev/${block##*/} ;;
  dependencies) dependencies=/dev/${block##*/} ;;
  layer) layer=/dev/${block##*/} ;;
  image-*) images="$images ${serial#image-}:/dev/${block##*/}" ;;
  esac
done

$B mount -t squashfs -o ro "$root" /lower
lower=/lower
if [ -n "$layer" ]; then
  $B mkdir /layer
  $B mount -t squashfs -o ro "$layer" /layer
  lower=/layer:/lower
fi
$B mkdir /upper/upper /upper/work
$B mount -t overlay -o lowerdir=$lower,upperdir=/upper/upper,workdir=/upper/work root /new || exec $B poweroff -f
# Shared mounts, so that volumes that a kubelet mounts reach containers.
$B mount --make-rshared /new
cat_lines >/second <<TABLE
proc /new/proc proc defaults 0 0
sys /new/sys sysfs defaults 0 0
dev /new/dev devtmpfs defaults 0 0
run /new/run tmpfs mode=755 0 0
tmp /new/tmp tmpfs mode=1777 0 0
security /new/sys/kernel/security securityfs defaults 0 0
cgroup /new/sys/fs/cgroup cgroup2 defaults 0 0
bpf /new/sys/fs/bpf bpf defaults 0 0
tracing /new/sys/kernel/tracing tracefs defaults 0 0
containerd /new/var/lib/containerd tmpfs size=80% 0 0
kubelet /new/var/lib/kubelet tmpfs size=50% 0 0
$modules /new/lib/modules squashfs ro 0 0
$project /new/varmor squashfs ro 0 0
$dependencies /new/varmor/node_modules squashfs ro 0 0
TABLE
# Mounted above the overlay, because files of containerd and the kubelet cannot lie on an overlay.
for image in $images; do
  echo "${image#*:} /new/images/${image%%:*} squashfs ro 0 0" >>/second
  folders="$folders /new/images/${image%%:*}"
done
$B mkdir $folders
mount_all /second
$B cp -a /links/. /new/dev/
# The images that containerd-pack wrote. containerd has them from the start, if its version packed them.
[ -n "$layer" ] || [ ! -d /new/images/store ] || $B cp -a /new/images/store/io.* /new/var/lib/containerd/
cat_lines >/third <<'TABLE'
devpts /new/dev/pts devpts ptmxmode=0666 0 0
shm /new/dev/shm tmpfs mode=1777 0 0
mqueue /new/dev/mqueue mqueue defaults 0 0
TABLE
mount_all /third

# The first cgroup with a controller or a quota makes the kernel patch code that runs very often (kmem_cache_free,
# __alloc_pages, the scheduler's tick). Under emulation another CPU may hit an incomplete patch and die ("Oops: int3"),
# so only one CPU is online meanwhile. The cgroup stays, because the removal of the last one reverts the patches.
each_other_cpu() {
  for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
    [ ! -e "$cpu" ] || echo "$1" >"$cpu"
  done
}
cgroups=/new/sys/fs/cgroup
each_other_cpu 0
for controller in memory cpuset cpu; do echo +$controller >$cgroups/cgroup.subtree_control; done
$B mkdir $cgroups/first
echo 100000 >$cgroups/first/cpu.max
each_other_cpu 1

$B ifconfig lo 127.0.0.1 up
$B ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
$B route add default gw 10.0.2.2
echo 1 >/proc/sys/net/ipv4/ip_forward
# A guest without free memory must end, and not read the pages of its programs repeatedly (since Linux 6.1).
lru=/sys/kernel/mm/lru_gen
[ ! -e $lru/min_ttl_ms ] || { echo y >$lru/enabled; echo 1000 >$lru/min_ttl_ms; }
echo guest >/proc/sys/kernel/hostname

for port in /sys/class/virtio-ports/*; do
  read -r name <"$port/name"
  [ "$name" != commands ] || commands=/dev/${port##*/}
done
$B cp /exec-server /new/run/exec-server
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
# A layer has its own init.
if [ -n "$layer" ]; then
  $B chroot /new /run/exec-server "$commands" &
  exec $B switch_root /new /usr/lib/systemd/systemd
fi
exec $B switch_root /new /run/exec-server "$commands"
