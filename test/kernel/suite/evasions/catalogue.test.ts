import { describeCatalogue } from './catalogue.ts'
import { describeEvasions } from './evasion.ts'
import { ownProfile } from './own-profile.ts'
import { describeReplacing } from './replacing.ts'

describeCatalogue({ enforcers: 'AppArmor', free: true })
for (const table of ownProfile) describeEvasions(table, { enforcers: 'AppArmor', free: true })
describeReplacing('AppArmor')
