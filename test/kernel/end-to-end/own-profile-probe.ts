import { ownProfile } from '../../../src/agent/lifecycle/own-profile.ts'

/** Files in /proc that reveal a process's memory, arguments, environment or activity; threads have them too. */
const secretFiles = [
  ...['auxv', 'cmdline', 'environ', 'maps', 'mem', 'numa_maps', 'pagemap', 'smaps', 'smaps_rollup', 'stack'],
  ...['syscall', 'wchan'],
]
const secretFolders = ['fd', 'fdinfo', 'map_files']
const neededFiles = ['cgroup', 'comm', 'stat', 'status', 'attr/current', 'mountinfo']

/** Files of the node that an agent may or may not read; `/proc/1` is the node's first process. */
export const secretPaths: readonly string[] = [
  ...['/proc/1', '/proc/1/task/1', '/proc/self', '/proc/thread-self'].flatMap((folder) =>
    secretFiles.map((file) => `${folder}/${file}`),
  ),
  ...['/proc/kcore', '/proc/kallsyms', '/proc/kpageflags'],
]
export const secretFolderPaths: readonly string[] = ['/proc/1', '/proc/1/task/1'].flatMap((folder) =>
  secretFolders.map((name) => `${folder}/${name}`),
)
export const neededPaths: readonly string[] = [
  ...neededFiles.map((file) => `/proc/1/${file}`),
  ...['/proc/self/stat', '/proc/thread-self/stat', '/proc/stat', '/proc/uptime', '/proc/partitions'],
]

/** Operations that a program tries in the agent's own profile, and their results. */
const attempts: readonly { name: string; script: string; answer: 'done' | 'EACCES' | 'ENOENT' }[] = [
  { name: 'starts a shell', script: "child.execFileSync('/bin/sh', ['-c', 'true'])", answer: 'EACCES' },
  { name: 'starts itself again', script: "child.execFileSync('/usr/bin/node', ['--version'])", answer: 'EACCES' },
  {
    name: 'starts the parser',
    script: "child.execFileSync('/usr/sbin/apparmor_parser', ['--version'])",
    answer: 'done',
  },
  { name: 'writes a profile of another', script: "fs.writeFileSync('/host/apparmor.d/other', '')", answer: 'EACCES' },
  {
    name: 'writes a Seccomp profile of another',
    script: "fs.writeFileSync('/var/lib/kubelet/seccomp/other.json', '')",
    answer: 'EACCES',
  },
  {
    name: 'writes one of its own',
    script: "const path = '/var/lib/kubelet/seccomp/varmor-probe'; fs.writeFileSync(path, ''); fs.rmSync(path)",
    answer: 'done',
  },
  { name: 'pins elsewhere', script: "fs.mkdirSync('/sys/fs/bpf/other')", answer: 'EACCES' },
  ...secretPaths.map((path) => ({
    ...{ name: `reads ${path}`, script: `fs.closeSync(fs.openSync('${path}'))` },
    answer: 'EACCES' as const,
  })),
  ...secretFolderPaths.map((path) => ({
    ...{ name: `lists ${path}`, script: `fs.readdirSync('${path}')` },
    // Linux has `map_files` for processes, not for threads. The profile denies both.
    answer: path === '/proc/1/task/1/map_files' ? ('ENOENT' as const) : ('EACCES' as const),
  })),
  ...neededPaths.map((path) => ({
    ...{ name: `reads ${path}`, script: `fs.readFileSync('${path}')` },
    answer: 'done' as const,
  })),
  { name: 'reads files of another', script: "fs.readFileSync('/proc/1/root/etc/passwd')", answer: 'EACCES' },
  {
    name: 'reads who another is',
    script: "fs.readlinkSync('/proc/1/exe'); fs.statSync('/proc/1/ns/mnt')",
    answer: 'done',
  },
]

const program = `
  const fs = require('node:fs'), child = require('node:child_process'), answers = {}
  const attempt = (name, work) => {
    try {
      work()
      answers[name] = 'done'
    } catch (error) {
      answers[name] = error.code ?? String(error)
    }
  }
  ${attempts.map(({ name, script }) => `attempt(${JSON.stringify(name)}, () => { ${script} })`).join('\n')}
  console.log(JSON.stringify(answers))
`

/** Runs in an agent's container and prints the results as JSON. */
export const ownProfileProbe = {
  command: [
    ...['sh', '-c', `echo 'exec ${ownProfile}' >/proc/self/attr/exec; exec "$@"`, 'sh'],
    ...['/usr/bin/node', '--eval', program],
  ],
  answers: Object.fromEntries(attempts.map(({ name, answer }) => [name, answer])),
}
