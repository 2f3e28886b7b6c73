import { EmbeddedTarget } from './embedded-target.ts'
import { controlPlaneSuite, type Part } from './suite.ts'

/** Runs a part on a separate server. Each part has its own file, so that the parts run in parallel. */
export function onEmbeddedServer(part: Part): void {
  describe('the control plane on the embedded server', () => {
    let target: EmbeddedTarget
    before(async () => {
      target = await EmbeddedTarget.start()
    })
    after(() => target?.stop())
    controlPlaneSuite(() => target, part)
  })
}
