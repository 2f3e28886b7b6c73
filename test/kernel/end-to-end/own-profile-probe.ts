import { ownProfile } from '../../../src/agent/own-profile.ts'

/** What a program in the agent's own profile tries, and what it is answered. */
const attempts: readonly { name: string; script: string; answer: 'done' | 'EACCES' }[] = [
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
  { name: 'reads the environment of another', script: "fs.readFileSync('/proc/1/environ')", answer: 'EACCES' },
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

/** To be run in an agent's container; prints the answers as JSON. */
export const ownProfileProbe = {
  command: [
    ...['sh', '-c', `echo 'exec ${ownProfile}' >/proc/self/attr/exec; exec "$@"`, 'sh'],
    ...['/usr/bin/node', '--eval', program],
  ],
  answers: Object.fromEntries(attempts.map(({ name, answer }) => [name, answer])),
}
