import { describeCatalogue } from '../evasions/catalogue.ts'
import { describeReplacing } from '../evasions/replacing.ts'

// That the attacks get through unconfined is shown by the same tables on AppArmor.
describeCatalogue({ enforcers: 'BPF', free: false })
describeReplacing('BPF')
