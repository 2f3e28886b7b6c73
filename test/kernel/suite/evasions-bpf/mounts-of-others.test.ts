import { expect } from 'chai'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { ConfinedContainer } from '../evasions/confine.ts'
import { ofRules } from '../evasions/world.ts'
import { Container } from '../harness/container.ts'
import { python } from '../harness/python.ts'

const volume = '/tmp/shared-volume'
const flags = ['--mount', `type=bind,src=${volume},dst=/volume,options=rbind:rw`]

/**
 * Number of bind mounts of the volume, and of mount namespaces; each unshared namespace has a copy of each bind mount.
 */
const flood = { binds: 4500, namespaces: 30 }

const flooding = python(
  'import signal',
  'if os.fork(): sys.exit(0)',
  'os.setsid()',
  'done(libc.unshare(0x20000)); done(libc.mount(None, b"/", None, 0x44000, None))',
  'os.makedirs("/tmp/m", exist_ok=True)',
  `[done(libc.mount(b"/volume", b"/tmp/m", None, 4096, None)) for _ in range(${flood.binds})]`,
  `for _ in range(${flood.namespaces}):`,
  '  if os.fork() == 0: done(libc.unshare(0x20000)); open("/volume/unshared", "a").write("x"); signal.pause()',
  'signal.pause()',
)

/** Opens both files in each of 5,000 mount namespaces, and prints how often it could. */
const manyNamespaces = python(
  'opened = {"free": 0, "vault": 0}',
  'done(libc.unshare(0x10000000))',
  'for _ in range(5000):',
  '  done(libc.unshare(0x20000))',
  '  for name, path in ("free", "/volume/free"), ("vault", "/volume/vault/key"):',
  '    try: os.close(os.open(path, os.O_RDONLY)); opened[name] += 1',
  '    except PermissionError: pass',
  'print(", ".join(f"{name} {count}" for name, count in opened.items()))',
)

const policy = ofRules('neighbour', {
  bpfRawRules: { files: [{ pattern: '/volume/vault/**', permissions: ['read'] }] },
})

describe('mounts of another container (BPF)', () => {
  let neighbour: Container
  let confined: ConfinedContainer

  before(async function () {
    this.timeout(600_000)
    await output('containerd-up', [])
    await output('sh', [
      '-c',
      `mkdir -p ${volume}/vault && echo the secret > ${volume}/vault/key && echo free > ${volume}/free`,
    ])
    await output('sysctl', ['-w', 'fs.mount-max=200000'])
    neighbour = await Container.start('flooding', { image: debianImage, flags: [...flags, '--privileged'] })
    const { status, text } = await neighbour.run(flooding)
    expect(status, text).to.equal(0)
    const all = `until [ "$(wc -c < /volume/unshared)" -ge ${flood.namespaces} ]; do sleep 0.2; done`
    expect((await neighbour.run(all)).status).to.equal(0)
    // The container starts after the flood, so the programs have no data about its mounts yet.
    confined = await ConfinedContainer.start('beside-a-flood', { image: debianImage, flags, policy: policy('BPF') })
    await confined.load()
  })
  after(async function () {
    this.timeout(120_000)
    await confined?.stop()
    await neighbour?.stop()
  })

  it('neither open nor shut what a container has on the same file system', async () => {
    const free = await confined.runConfined('cat /volume/free')
    expect(free).to.deep.include({ status: 0 })
    expect(free.text).to.contain('free')
    const vault = await confined.runConfined('cat /volume/vault/key')
    expect(vault.status).not.to.equal(0)
    expect(vault.text).to.match(/operation not permitted/i)
  })

  it('cannot be lost from the lists of mounts by more mount namespaces than there is room for', async () => {
    // The programs keep 4,096 lists of mounts, by file system and mount namespace.
    const { status, text } = await confined.runConfined(manyNamespaces)
    expect({ status, text }).to.deep.equal({ status: 0, text: 'free 5000, vault 0' })
  })
})
