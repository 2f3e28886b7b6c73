import { type EvasionTable, table } from './evasion.ts'
import { ofRules, ordinary } from './world.ts'

const loader = '/lib64/ld-linux-x86-64.so.2'

const shells = ofRules('shells', { attackProtectionRules: [{ rules: ['disable-shell'] }] })
const python = (lines: string): readonly string[] => ['python3', '-c', `import os; ${lines}`]

export const running: readonly EvasionTable[] = [
  table('evasions: running what must not be run', { policy: ordinary('running'), gain: 'it ran' }, [
    { way: 'none', attack: 'curl say "it ran"' },
    { way: 'the path by another link', attack: '/bin/curl say "it ran"' },
    { way: 'a path with detours', attack: '//usr/./bin/../bin//curl say "it ran"' },
    { way: 'a relative path', attack: 'cd /usr/bin && ./curl say "it ran"' },
    { way: '/proc/self/root', attack: '/proc/self/root/usr/bin/curl say "it ran"' },
    { way: 'a symbolic link', attack: 'ln -s /usr/bin/curl /tmp/c && /tmp/c say "it ran"' },
    { way: 'a hard link', attack: 'ln /usr/bin/curl /tmp/c && /tmp/c say "it ran"' },
    {
      way: 'renaming it',
      attack: 'mv /usr/bin/curl /usr/bin/c && c say "it ran"',
      undo: 'if [ -e /usr/bin/c ]; then mv /usr/bin/c /usr/bin/curl; fi',
    },
    { way: 'copying it', attack: 'cp /usr/bin/curl /tmp/c && /tmp/c say "it ran"' },
    { way: 'execveat on an open file', attack: '/probes/evade fexecve /usr/bin/curl say "it ran"' },
    { way: 'execveat on a copy in memory', attack: '/probes/evade memfd /usr/bin/curl say "it ran"' },
    { way: 'the dynamic loader', attack: `${loader} /usr/bin/wget "it ran"` },
    { way: 'the dynamic loader in memory', attack: `/probes/evade memfd ${loader} /usr/bin/wget "it ran"` },
    {
      way: 'as the loader of another program',
      attack: '/probes/evade interpreted-by /usr/bin/curl /tmp/c say "it ran"',
      limit: 'interpreter of the kernel',
    },
    {
      way: 'as the interpreter of a script',
      attack: "printf '#!/usr/bin/wget it ran:' > /tmp/c && chmod +x /tmp/c && /tmp/c",
      limit: 'interpreter of the kernel',
    },
    {
      way: 'a copy from before',
      prepare: 'cp /usr/bin/curl /data/else/c',
      attack: '/data/else/c say "it ran"',
      limit: 'copy of a program',
      onBpf: { limit: 'copy of a program' },
    },
    {
      way: 'another program in memory',
      attack: '/probes/evade memfd /probes/evade say "it ran"',
      limit: 'copy of a program',
      onBpf: { limit: 'copy of a program' },
    },
    {
      way: 'none, of a raw rule that denies x',
      prepare: 'cp /bin/echo /data/tool',
      attack: '/data/tool it ran',
    },
    {
      way: 'the dynamic loader, of a raw rule that denies x alone',
      prepare: 'cp /bin/echo /data/tool',
      attack: `${loader} /data/tool it ran`,
      limit: 'copy of a program',
    },
    {
      way: 'a copy in memory, of a raw rule that denies x alone',
      prepare: 'cp /probes/evade /data/tool',
      attack: '/probes/evade memfd /data/tool say "it ran"',
      limit: 'copy of a program',
      onBpf: { limit: 'copy of a program' },
    },
  ]),

  table('evasions: running a shell', { policy: shells, gain: 'it ran' }, [
    { way: 'none', attack: python("os.execv('/bin/sh', ['sh', '-c', 'echo it ran'])") },
    { way: 'system(3)', attack: ['perl', '-e', 'system("echo it ran; :") == 0 or die "$!"'] },
    { way: 'the dynamic loader', attack: [loader, '/bin/bash', '-c', 'echo it ran'] },
    {
      way: 'copying it',
      attack: python("import shutil; shutil.copy('/bin/sh', '/tmp/s'); os.execv('/tmp/s', ['s', '-c', 'echo it ran'])"),
    },
    { way: 'execveat on a copy in memory', attack: ['/probes/evade', 'memfd', '/bin/bash', '-c', 'echo it ran'] },
    {
      way: 'a script',
      attack: python(
        "open('/tmp/s', 'w').write('#!/bin/sh\\necho it ran\\n'); os.chmod('/tmp/s', 0o755); os.execv('/tmp/s', ['s'])",
      ),
      limit: 'interpreter of the kernel',
    },
  ]),
]
