import { createHash } from 'node:crypto'
import type { ModelReply } from '../../../actors/modeller/ports.ts'
import { modellerFamily } from '../../../actors/modeller.ts'
import { type ActorSystem, AskError } from '../../../actors/runtime/index.ts'
import { type BeganMessage, beganAddress, type CourierMessage, courierAddress } from './courier.ts'
import { RecordingFolder } from './recording-files.ts'
import { type ModellerThreadData, modellerFamilyName } from './thread-data.ts'

/** Time limit of a report in milliseconds. The courier may have to try each manager. */
const TIMEOUT = 120_000

/** Sets up the worker thread on which modellers record. */
export default function install(system: ActorSystem, { node, folder }: ModellerThreadData): void {
  const courier = system.lookup<CourierMessage>(courierAddress)
  const began = system.lookup<BeganMessage>(beganAddress)
  system.family(
    modellerFamilyName,
    modellerFamily({
      node,
      began: (key) => void began.tell({ type: 'began', key }),
      files: new RecordingFolder(folder),
      digest: (text) => createHash('sha256').update(text).digest('hex'),
      send: (report): Promise<ModelReply> =>
        courier.ask({ type: 'send', report }, { timeout: TIMEOUT }).catch((error: unknown): ModelReply => {
          if (!(error instanceof AskError)) throw error
          return { kind: 'unreachable', message: `the agent could not send it: ${error.message}` }
        }),
    }),
  )
}
