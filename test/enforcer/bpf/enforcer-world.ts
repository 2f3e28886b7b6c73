import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BpfEnforcer } from '../../../src/enforcer/bpf.ts'
import { FakeKernel, fakeEncoder } from './fake-kernel.ts'

export const web = 'varmor-demo-web'
export const idOf = (name: string): string => createHash('sha256').update(name).digest('hex')

/** Provides a kernel and a folder for each test of the calling block, and enforcers on them. */
export function enforcerWorld() {
  const world = {
    kernel: new FakeKernel(),
    folder: '',
    open: (more: object = {}): Promise<BpfEnforcer> =>
      BpfEnforcer.open({
        ...{ addon: world.kernel, encoder: fakeEncoder, root: join(world.folder, 'root') },
        ...{ object: join(world.folder, 'object'), ringBytes: 4096, hostMntNs: 1, strictStart: 0 },
        ...more,
      }),
    /** Opens an enforcer with another build of the programs. */
    otherBuild: (): Promise<BpfEnforcer> => {
      writeFileSync(join(world.folder, 'object'), 'other programs')
      return world.open()
    },
    inForce: (enforcer: BpfEnforcer, id: string): string | undefined =>
      world.kernel.inForce(enforcer.folder, enforcer.numberOf(idOf(id)) ?? 0),
    stateOf: (enforcer: BpfEnforcer) => world.kernel.folders.get(enforcer.folder)!,
  }
  beforeEach(() => {
    world.folder = mkdtempSync(join(tmpdir(), 'varmor-bpf-'))
    world.kernel = new FakeKernel()
    writeFileSync(join(world.folder, 'object'), 'programs')
  })
  afterEach(() => rmSync(world.folder, { recursive: true }))
  return world
}
