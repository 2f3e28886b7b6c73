import { type EvasionTable, table } from './evasion.ts'
import { privileged } from './world.ts'

const securityfs = '/sys/kernel/security'
const controls = `mount -t securityfs none ${securityfs}`
const container = { flags: ['--privileged'] }
const undo = `umount -q ${securityfs}; true`

/** Uses python3, because dash does not print why a write was refused. */
const entering = (file: string, order: string): readonly string[] => {
  const write = `os.write(os.open('/proc/self/attr/${file}', os.O_WRONLY), b'${order}')`
  return ['python3', '-c', `import os; ${write}; os.execv('/bin/cat', ['cat', '/data/vault/key'])`]
}

export const ownProfile: readonly EvasionTable[] = [
  table(
    'evasions: the own profile of a privileged container',
    { policy: privileged('own'), container, gain: 'the secret' },
    [
      {
        way: 'another profile for the next program',
        attack: entering('exec', 'exec unconfined'),
        undo,
      },
      {
        way: 'another profile for itself',
        attack: entering('current', 'changeprofile unconfined'),
        undo,
      },
      {
        way: 'removing it',
        attack: `${controls}; printf varmor-enforced-own > ${securityfs}/apparmor/.remove && cat /data/vault/key`,
        limit: 'own profile',
        undo,
      },
    ],
  ),

  table(
    'evasions: the own profile of a privileged container, kept by two rules',
    { policy: privileged('kept', ['disallow-mount-securityfs', 'disable-cap-mac-admin']), container, gain: 'mounted' },
    [{ way: 'mounting securityfs', attack: `${controls} && echo mounted`, undo }],
  ),
]
