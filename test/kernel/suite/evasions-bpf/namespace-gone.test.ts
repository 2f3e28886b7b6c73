import { createHash } from 'node:crypto'
import { expect } from 'chai'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { output, result } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { bpfEnforcer } from '../evasions/confine.ts'
import { privileged } from '../evasions/world.ts'
import { compiled } from '../harness/profiles.ts'
import { python } from '../harness/python.ts'

/**
 * Creates the secret, which the program may write but not read. Then the program leaves its first mount namespace,
 * which no other process uses.
 */
const leaving = (attack: string): readonly string[] => [
  ...['sh', '-c'],
  `mkdir -p /data/vault; echo the secret > /data/vault/key; exec unshare --mount --propagation private sh -c '${attack}'`,
]

/**
 * Forks a child that moves to a new root while the namespace exists. The child reads after the first process has left
 * the namespace.
 */
const outliving = (...read: string[]): readonly string[] =>
  python(
    'os.makedirs("/data/vault"); open("/data/vault/key", "w").write("the secret")',
    'first = os.stat("/proc/self/ns/mnt").st_ino',
    'ready, gone = os.pipe(), os.pipe()',
    'if os.fork() == 0:',
    '  done(libc.unshare(0x20000)); done(libc.mount(None, b"/", None, 0x44000, None))',
    '  done(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)); os.mkdir("/mnt/old")',
    '  done(libc.syscall(155, b"/mnt", b"/mnt/old")); os.chdir("/")',
    '  os.write(ready[1], b"x"); os.read(gone[0], 1)',
    ...read.map((line) => `  ${line}`),
    '  print(open("/old/data/vault/key").read(), flush=True); os._exit(0)',
    'os.read(ready[0], 1)',
    'done(libc.unshare(0x20000))',
    'os.write(gone[1], b"x")',
    'sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))',
  )

const attacks = [
  ['a bind', leaving('mount --bind /data/vault /mnt && cat /mnt/key')],
  ['a new root', leaving('mount -t tmpfs none /mnt && mkdir /mnt/old && /probes/evade pivot /mnt old data/vault/key')],
  ['a new root that a child has taken before', outliving()],
  [
    'a namespace that has the number of the one that is gone',
    outliving(
      'number = lambda: os.stat("/old/proc/self/ns/mnt").st_ino',
      'any(done(libc.unshare(0x20000)) or number() == first for _ in range(4096)) or sys.exit("the number does not come again")',
    ),
  ],
] as const

describe('evasions: the mount namespace of the first process is gone (BPF)', () => {
  const { profileName, enforcers } = compiled(privileged('gone')('BPF'))
  let enforcer: BpfEnforcer

  before(async function () {
    this.timeout(600_000)
    await output('containerd-up', [])
    enforcer = await bpfEnforcer()
    await enforcer.load(profileName, JSON.stringify(enforcers.BPF?.profile))
  })
  after(() => enforcer?.unload(profileName))

  async function run(name: string, attack: readonly string[], confined: boolean): Promise<string> {
    const id = createHash('sha256').update(`${name} ${confined}`).digest('hex')
    if (confined) await enforcer.add({ id, profile: profileName })
    const args = ['-n', 'k8s.io', 'run', '--rm', '--privileged', debianImage, id, ...attack]
    const { stdout, stderr } = await result('ctr', args)
    if (confined) await enforcer.remove(id)
    return stdout + stderr
  }

  for (const [name, attack] of attacks)
    it(`${name}: refused`, async () => {
      // The BPF program reads freed memory of the namespace, and the content depends on the memory's next use.
      for (const attempt of [1, 2, 3, 4])
        expect(await run(`${name} ${attempt}`, attack, true))
          .to.match(/operation not permitted/i)
          .and.not.contain('the secret')
      expect(await run(name, attack, false)).to.contain('the secret')
    })

  it('a container that is started again under its id reads what it may, and nothing more', async () => {
    const id = createHash('sha256').update('again').digest('hex')
    const ctr = (...args: string[]) => result('ctr', ['-n', 'k8s.io', ...args])
    const tries = 'mkdir -p /data/vault; echo the secret > /data/vault/key; cat /etc/passwd /data/vault/key'
    await enforcer.add({ id, profile: profileName })
    // The agent does not know yet that the container ended.
    for (const start of [
      ['run', '--privileged', debianImage, id, 'sh', '-c', tries],
      ...[1, 2].map(() => ['task', 'start', id]),
    ]) {
      const { stdout, stderr } = await ctr(...start)
      expect(stdout, stderr).to.contain('root:').and.not.contain('the secret')
      expect(stderr).to.match(/key: operation not permitted/i)
    }
    await ctr('container', 'delete', id)
    await enforcer.remove(id)
  })
})
