// Names of disks, for enforcers that know a device only by its path. The list is the same for every node. A profile
// depends on the node only if a disk of this node has an unlisted name (`node-disks`). Source:
// Documentation/admin-guide/devices.txt and the drivers.

/** Disks, partitions and everything stacked on them: the block devices. */
// biome-ignore format: a table reads better
export const blockDevices: readonly string[] = [
  // SCSI, SATA, USB; IDE; CD-ROM; floppy
  '/dev/sd*', '/dev/hd*', '/dev/sr*', '/dev/scd*', '/dev/pktcdvd/**', '/dev/fd0*', '/dev/fd1*',
  // NVMe namespaces and their controllers (/dev/nvme0 takes raw commands for the disk)
  '/dev/nvme*',
  // virtual machines
  '/dev/vd*', '/dev/xvd*',
  // eMMC, SD cards, flash
  '/dev/mmcblk*', '/dev/mspblk*', '/dev/mtd*', '/dev/ubi*',
  // persistent memory and memory disks
  '/dev/pmem*', '/dev/ram*', '/dev/zram*',
  // stacked: loop, device mapper (LVM, dm-crypt, multipath), RAID, bcache
  '/dev/loop*', '/dev/dm-*', '/dev/mapper/**', '/dev/md*', '/dev/md/**', '/dev/bcache*', '/dev/bcache/**',
  // from the network or from user space: NBD, Ceph, RNBD, DRBD, AoE, ublk
  '/dev/nbd*', '/dev/rbd*', '/dev/rbd/**', '/dev/rnbd*', '/dev/drbd*', '/dev/drbd/**', '/dev/etherd/**', '/dev/ublkb*',
  // ZFS volumes
  '/dev/zd*', '/dev/zvol/**',
  // mainframe and old RAID controllers
  '/dev/dasd*', '/dev/cciss/**', '/dev/ida/**', '/dev/rssd*', '/dev/skd*',
  // directories of udev's links; a process can also create device nodes there
  '/dev/disk/**', '/dev/block/**',
]

/** Character devices that read or control a disk without its block device. */
// biome-ignore format: a table reads better
export const diskControlDevices: readonly string[] = [
  // SCSI commands, to a disk and to its transport
  '/dev/sg*', '/dev/bsg/**',
  // NVMe namespaces as character devices
  '/dev/ng*n*',
  // raw(8) devices, persistent memory mapped directly, ublk control
  '/dev/raw/**', '/dev/rawctl', '/dev/dax*', '/dev/ublkc*',
  // RAID controllers
  '/dev/megaraid_sas_ioctl_node', '/dev/mpt*ctl', '/dev/aac*', '/dev/twa*',
]

/**
 * File systems on block devices (FS_REQUIRES_DEV in fs/ of Linux 6.12, and ZFS). A rule that forbids these types
 * forbids mounting a disk under any name: through a link, or a device node of another name.
 */
// biome-ignore format: a table reads better
export const diskFileSystems: readonly string[] = [
  'ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'bcachefs', 'f2fs', 'jfs', 'reiserfs', 'nilfs2', 'zonefs', 'zfs',
  'gfs2', 'gfs2meta', 'ocfs2',
  'squashfs', 'erofs', 'cramfs', 'romfs', 'iso9660', 'udf',
  'vfat', 'msdos', 'exfat', 'ntfs', 'ntfs3', 'hfs', 'hfsplus', 'ufs', 'hpfs',
  'adfs', 'affs', 'befs', 'bfs', 'efs', 'freevxfs', 'minix', 'omfs', 'qnx4', 'qnx6', 'sysv', 'v7',
]
