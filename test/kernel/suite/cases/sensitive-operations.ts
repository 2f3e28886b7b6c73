import { execEvent } from '../harness/bpf-events.ts'
import { fileRecord, readRecords, runRecords } from '../harness/records.ts'
import type { RuleCase, RuleFamily } from '../harness/rule-case.ts'

/** A forbidden program, identified by its name: a copy of true(1), which does nothing under any name. */
const program = (rule: string, name: string): RuleCase => ({
  rule,
  title: name,
  prepare: `cp /bin/true /usr/bin/${name}`,
  attack: `exec /usr/bin/${name}`,
  refusal: 'EACCES',
  neighbour: 'exec true',
  ...runRecords('sh', `/usr/bin/${name}`, rule),
})

const preload = '/etc/ld.so.preload'
const keys = 'mkdir -p /root/.ssh /root/ssh && echo key > /root/.ssh/id_rsa && echo plain > /root/ssh/notes'
const skills = 'mkdir -p /srv/agent/skills && echo good > /srv/agent/skills/old.md'

export const sensitiveOperations: RuleFamily = {
  name: 'what an attacker does first',
  cases: [
    {
      rule: 'disable-write-etc',
      attack: `echo x > ${preload}`,
      refusal: 'EACCES',
      neighbour: 'cat /etc/hostname; cp /etc/passwd /tmp/etc',
      records: [fileRecord('sh', 'mknod', preload, 'c')],
      observed: [fileRecord('sh', 'mknod', preload, 'c'), fileRecord('sh', 'open', preload, 'wc')],
      undo: `rm ${preload}`,
    },
    {
      rule: 'disable-write-etc',
      title: 'the mode of a file there',
      attack: 'exec chmod 644 /etc/passwd',
      refusal: 'EACCES',
      neighbour: 'touch /tmp/own && chmod 600 /tmp/own',
      records: [fileRecord('chmod', 'chmod', '/etc/passwd', 'w')],
    },
    {
      rule: 'disable-write-etc',
      title: 'a name there',
      prepare: 'touch /etc/removed',
      attack: 'exec rm /etc/removed',
      refusal: 'EACCES',
      neighbour: 'touch /tmp/removed && rm /tmp/removed',
      records: [fileRecord('rm', 'unlink', '/etc/removed', 'd')],
    },
    {
      rule: 'disable-access-passwd',
      attack: 'exec cat /etc/passwd',
      refusal: 'EACCES',
      neighbour: 'cat /etc/group',
      ...readRecords('cat', '/etc/passwd'),
    },
    {
      rule: 'disable-access-shadow',
      prepare: 'echo root:secret:: > /etc/shadow',
      attack: 'exec cat /etc/shadow',
      refusal: 'EACCES',
      neighbour: 'cat /etc/passwd',
      ...readRecords('cat', '/etc/shadow'),
    },
    {
      rule: 'disable-access-ssh-dir',
      prepare: keys,
      attack: 'exec cat /root/.ssh/id_rsa',
      refusal: 'EACCES',
      neighbour: 'cat /root/ssh/notes',
      ...readRecords('cat', '/root/.ssh/id_rsa'),
    },
    {
      rule: 'disable-write-skills',
      prepare: skills,
      attack: 'exec rm /srv/agent/skills/old.md',
      refusal: 'EACCES',
      neighbour: 'ls /srv/agent/skills; echo x > /srv/agent/notes',
      records: [fileRecord('rm', 'unlink', '/srv/agent/skills/old.md', 'd')],
    },
    {
      rule: 'disable-busybox',
      prepare: 'cp /opt/busybox /usr/bin/busybox',
      attack: 'exec /usr/bin/busybox true',
      refusal: 'EACCES',
      neighbour: 'exec true',
      ...runRecords('sh', '/usr/bin/busybox', 'disable-busybox'),
    },
    {
      rule: 'disable-shell',
      attack: ['env', '/bin/sh', '-c', 'true'],
      refusal: 'EACCES',
      neighbour: ['env', 'true'],
      ...runRecords('env', '/usr/bin/dash', 'disable-shell'),
      bpf: { observed: [execEvent('env', '/usr/bin/dash'), execEvent('sh', '/usr/bin/dash')] },
    },
    {
      rule: 'disable-shell',
      title: 'as the argument of its loader',
      attack: ['/lib64/ld-linux-x86-64.so.2', '/bin/sh', '-c', 'true'],
      refusal: 'EACCES',
      neighbour: ['/lib64/ld-linux-x86-64.so.2', '/bin/true'],
      records: [fileRecord('ld-linux-x86-64', 'open', '/usr/bin/dash', 'r')],
      observed: [
        fileRecord('ld-linux-x86-64', 'open', '/usr/bin/dash', 'r'),
        fileRecord('ld-linux-x86-64', 'file_mmap', '/usr/bin/dash', 'rm'),
      ],
    },
    program('disable-wget', 'wget'),
    program('disable-wget', 'wget2'),
    program('disable-curl', 'curl'),
    {
      rule: 'disable-chmod',
      prepare: 'touch /tmp/own',
      attack: 'exec /usr/bin/chmod 755 /tmp/own',
      refusal: 'EACCES',
      neighbour: 'chown 0 /tmp/own',
      ...runRecords('sh', '/usr/bin/chmod', 'disable-chmod'),
    },
    {
      rule: 'disable-su-sudo',
      attack: 'exec /usr/bin/su --version',
      refusal: 'EACCES',
      neighbour: 'setpriv --version',
      ...runRecords('sh', '/usr/bin/su', 'disable-su-sudo'),
    },
    program('disable-su-sudo', 'sudo'),
    program('disable-su-sudo', 'doas'),
  ],
  flags: ['--mount', 'type=bind,src=/bin/busybox,dst=/opt/busybox,options=bind:ro'],
}
