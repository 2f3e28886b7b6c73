import { describeCatalogue } from '../evasions/catalogue.ts'
import { describeReplacing } from '../evasions/replacing.ts'

// The same tables, run on AppArmor, show that the attacks succeed without a profile.
describeCatalogue({ enforcers: 'BPF', free: false })
describeReplacing('BPF')
