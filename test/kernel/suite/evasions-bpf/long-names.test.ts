import { existsSync, rmSync } from 'node:fs'
import { output, result } from '../../../cluster/command.ts'
import { describeEvasions, table } from '../evasions/evasion.ts'
import { makeFat } from '../evasions/fat-image.ts'
import { ofRules } from '../evasions/world.ts'
import { needs } from '../harness/kernel-release.ts'
import { python } from '../harness/python.ts'

// A name of vfat has 255 characters, which are up to 765 bytes.

const [image, volume] = ['/tmp/long.img', '/tmp/long']
const missing = needs('vfat') ?? needs('nls_utf8')
/** 255 characters, 757 bytes: 245 more than a multiple of 256. */
const name = `${'€'.repeat(251)}.key`

describe('evasions: names of more than 255 bytes (BPF)', () => {
  before(async () => {
    if (missing !== undefined) return
    makeFat(image, {})
    await output('mkdir', ['-p', volume])
    await output('modprobe', ['-a', 'loop', 'nls_cp437', 'nls_ascii'])
    await output('mount', ['-t', 'vfat', '-o', 'loop,iocharset=ascii,utf8', image, volume])
  })
  after(async () => {
    await result('umount', [volume])
    if (existsSync(image)) rmSync(image)
  })

  const rules = {
    privileged: true,
    bpfRawRules: {
      files: [
        { pattern: '/volume/vault/*.key', permissions: ['read'] },
        { pattern: '/volume/ledger/**', permissions: ['write'] },
      ],
    },
  }
  const prepare = python(
    'os.makedirs("/volume/vault", exist_ok=True); os.makedirs("/volume/ledger", exist_ok=True)',
    `open("/volume/vault/${name}", "w").write("the secret")`,
  )
  const given = table(
    'evasions: a long name',
    {
      policy: ofRules('long', rules),
      container: { flags: ['--mount', `type=bind,src=${volume},dst=/volume,options=rbind:rw`] },
      gain: 'the secret',
    },
    [
      { way: 'reading', prepare, attack: python(`print(open("/volume/vault/${name}").read())`) },
      {
        way: 'writing',
        prepare,
        attack: python(`open("/volume/ledger/${name}", "w").write("x")`, 'print("the secret")'),
      },
    ].map((evasion) => ({ ...evasion, skip: missing })),
  )
  describeEvasions(given, { enforcers: 'BPF', free: true })
})
