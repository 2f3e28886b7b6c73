/** The recorded behaviour of a workload: how its parts are stored, merged and sent. */
export {
  Behaviour,
  type FileUse,
  type MountFact,
  merge,
  type PtraceFact,
  type Recorded,
  type SignalFact,
  type SocketFact,
} from './behaviour/behaviour.ts'
export { fromDynamicResult } from './behaviour/from-result.ts'
export { type LeftOut, type LeftOutKind, leftOutKinds } from './behaviour/left-out.ts'
export { defaultLimits, type Limits } from './behaviour/limits.ts'
export { accessesOf, type Recorder } from './behaviour/permissions.ts'
export { joinPieces, type Piece, piecesOf } from './behaviour/pieces.ts'
