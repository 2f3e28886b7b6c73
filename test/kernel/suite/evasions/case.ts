import { existsSync, rmSync } from 'node:fs'
import { output, result } from '../../../cluster/command.ts'
import { describeEvasions, type Run, table } from './evasion.ts'
import { makeFat } from './fat-image.ts'
import { ofRules } from './world.ts'

const [image, volume] = ['/tmp/fat.img', '/tmp/fat']
const rules = 'deny /volume/key r,\ndeny /volume/cash r,\ndeny /plain/key r,\ndeny /volume/[gG][oO][lL][dD] r,'
const files = ['/volume/key', '/volume/cash', '/plain/key', '/volume/gold', '/volume/GOLD', '/volume/gOlD'].map(
  (pattern) => ({
    pattern,
    permissions: ['read'],
  }),
)

export function describeCase(run: Run): void {
  before(async () => {
    makeFat(image, { KEY: 'the secret\n', CASH: 'the secret\n', GOLD: 'the secret\n' })
    await output('mkdir', ['-p', volume])
    await output('modprobe', ['-a', 'loop', 'vfat', 'nls_cp437', 'nls_ascii', 'nls_utf8'])
    await output('mount', ['-t', 'vfat', '-o', 'loop,iocharset=ascii', image, volume])
  })
  after(async () => {
    await result('umount', [volume])
    if (existsSync(image)) rmSync(image)
  })

  const given = table(
    'evasions: the case of a name',
    {
      policy: ofRules('case', { appArmorRawRules: [{ rules }], bpfRawRules: { files } }),
      container: { flags: ['--mount', `type=bind,src=${volume},dst=/volume,options=rbind:rw`] },
      gain: 'the secret',
    },
    [
      { way: 'none', attack: 'cat /volume/key' },
      { way: 'another case on vfat, of a name that the kernel has in memory', attack: 'cat /volume/KEY' },
      {
        way: 'another case on vfat, when the kernel looks the file up for the first time',
        attack: 'cat /volume/CASH',
        limit: 'case-insensitive file systems',
        onBpf: { limit: 'case-insensitive file systems' },
      },
      {
        way: 'the name of the rule on vfat, when the kernel knows it by another case',
        attack: 'cat /volume/cash',
        limit: 'case-insensitive file systems',
        onBpf: { limit: 'case-insensitive file systems' },
      },
      { way: 'another case on vfat, of a rule for all cases', attack: 'cat /volume/gOlD' },
      {
        way: 'another case where cases differ',
        prepare: 'mkdir -p /plain; echo the secret > /plain/key; echo the secret > /plain/KEY',
        attack: 'cat /plain/key',
      },
    ],
  )
  describeEvasions(given, run)
}
