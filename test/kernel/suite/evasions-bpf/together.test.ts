import { describeCatalogue } from '../evasions/catalogue.ts'
import { describeEvasions, table } from '../evasions/evasion.ts'
import { ordinary } from '../evasions/world.ts'

const policy = ordinary('together', { hardeningRules: ['disallow-mount'] }, 'Seccomp')

describeEvasions(
  table(
    'evasions: all enforcers together, Seccomp too',
    { policy, container: { flags: ['--cap-add', 'CAP_SYS_ADMIN'] }, gain: 'changed', filtered: true },
    [
      { way: 'what AppArmor refuses', attack: 'cat /data/vault/key', gain: 'the secret' },
      { way: 'what it refuses, too', attack: 'echo new > /data/ledger/book && echo changed' },
      {
        way: 'what AppArmor does not see',
        attack: "printf '#!/usr/bin/wget it ran:' > /tmp/c && chmod +x /tmp/c && /tmp/c",
        limit: 'interpreter of the kernel',
        gain: 'it ran',
      },
      {
        way: 'what it has no hook for',
        attack: `python3 -c "import os; os.utime('/data/ledger/book', (1, 1)); print('changed')"`,
        limit: 'times and attributes',
      },
      {
        way: 'what Seccomp refuses before both',
        attack: '/probes/evade move-tree /data /mnt && cat /mnt/vault/key',
        gain: 'the secret',
        errno: 'ENOSYS',
      },
    ],
  ),
  { enforcers: 'AppArmorBPF', free: false },
)

// The same enforcer refuses all attacks of a kind, so a run tries a few attacks of each kind. VARMOR_EVASIONS=all tries
// every attack.
if (process.env['VARMOR_EVASIONS'] === 'all') describeCatalogue({ enforcers: 'AppArmorBPF', free: false })
