import { join } from 'node:path'
import { expect } from 'chai'
import { build } from 'esbuild'

const root = process.cwd()
const compilers =
  /^(src\/profile\/(compile\.ts|coverage\.ts|apparmor\/|bpf\/|seccomp\/|without-faults)|actors\/policy\/left-out-of)/
/** Modules that read a compiled profile, and encode it for the kernel. */
const loading =
  /\/(bpf-profile|encode|encode-egress|ip-address|layout|limits|map-write|places|port-set|profile-schema|read-profile)\.ts$/
const isCompiler = (module: string): boolean => compilers.test(module) && !loading.test(module)

/** The modules that a module imports directly or indirectly, without type imports. */
async function modulesOf(entry: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [join(root, entry)],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    external: ['*.node'],
    // In the compiled tree of a test run, sources are links.
    preserveSymlinks: true,
    logLevel: 'error',
  })
  return Object.keys(metafile.inputs)
}

describe('the main thread', () => {
  for (const [entry, part] of [
    ['src/manager/manager.ts', 'actors/policy.ts'],
    ['src/cli/manager-command.ts', 'actors/policy.ts'],
    ['src/cli/agent-command.ts', 'actors/loaded-profile.ts'],
    ['src/profile/bpf/encode.ts', 'src/profile/bpf/layout.ts'],
    ['src/profile/bpf/read-profile.ts', 'src/profile/bpf/profile-schema.ts'],
  ] as const)
    it(`of ${entry} has no compiler`, async () => {
      const modules = await modulesOf(entry)
      expect(modules).to.include(part)
      expect(modules.filter(isCompiler)).to.deep.equal([])
    })

  it('would be seen to have one', async () => {
    expect((await modulesOf('actors/compiler/thread.ts')).filter(isCompiler)).to.include('src/profile/compile.ts')
  })
})
