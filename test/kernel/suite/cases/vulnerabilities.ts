import { fileRecord, mountRecords, overwriteRecords, socketRecords } from '../harness/records.ts'
import type { RuleFamily } from '../harness/rule-case.ts'

const agent = '/srv/cg/release_agent'
const hierarchy =
  'mkdir -p /srv/cg; mountpoint -q /srv/cg || mount -t cgroup -o none,name=own none /srv/cg; cat /srv/cg/release_agent'

export const vulnerabilities: RuleFamily = {
  name: 'known vulnerabilities',
  cases: [
    {
      rule: 'cgroups-lxcfs-escape-mitigation',
      title: 'CVE-2022-0492: release_agent of a cgroup tree anywhere',
      prepare: hierarchy,
      attack: 'echo /tmp/x > /srv/cg/release_agent',
      refusal: 'EACCES',
      neighbour: 'echo 0 > /srv/cg/notify_on_release',
      ...overwriteRecords(agent),
    },
    {
      rule: 'cgroups-lxcfs-escape-mitigation',
      title: 'a hierarchy of its own',
      attack: ['/probes/attempt', 'mount', 'none', '/mnt', 'cgroup', 'none,name=other'],
      refusal: 'EACCES',
      neighbour: 'mount -t tmpfs none /media && umount /media',
      ...mountRecords({ fsType: 'cgroup', srcName: 'none', extra: { options: 'none,name=other' } }),
      undo: 'umount /mnt',
    },
    {
      rule: 'runc-override-mitigation',
      title: 'CVE-2019-5736: the program itself',
      prepare: 'cp /bin/true /usr/local/sbin/runc',
      attack: 'echo x >> /usr/local/sbin/runc',
      refusal: 'EACCES',
      neighbour: '/usr/local/sbin/runc',
      records: [fileRecord('sh', 'open', '/usr/local/sbin/runc', 'ac')],
      observed: [
        fileRecord('sh', 'open', '/usr/local/sbin/runc', 'ac'),
        fileRecord('sh', 'file_perm', '/usr/local/sbin/runc', 'w'),
      ],
    },
    {
      rule: 'copy-fail-mitigation',
      title: 'CVE-2026-31431: AF_ALG',
      attack: ['/probes/attempt', 'socket', 'alg', 'seqpacket'],
      refusal: 'EACCES',
      neighbour: ['/probes/attempt', 'socket', 'netlink', 'raw'],
      ...socketRecords('alg', 'seqpacket', 'ip'),
    },
  ],
}
