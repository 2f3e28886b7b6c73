import type { MessageTypeDefinition } from '@grpc/proto-loader'
import { protoDefinitions } from '../containers/grpc-client.ts'
import { NriError } from './nri-error.ts'
import { nriProtos } from './nri-protos.ts'

// Messages as protobuf.js decodes them: 64-bit numbers as text, enums by name, null for a missing message.

export const nriPackage = 'nri.pkg.api.v1alpha1'

export interface WirePod {
  id: string
  name: string
  uid: string
  namespace: string
  labels: Record<string, string>
  annotations: Record<string, string>
}

export interface WireContainer {
  id: string
  podSandboxId: string
  name: string
  /** A number if this program does not know the state. */
  state: string | number
  labels: Record<string, string>
  annotations: Record<string, string>
  /** 0 if the container has no process, or the runtime does not report its pid. */
  pid: number
}

export interface ConfigureRequest {
  runtimeName: string
  runtimeVersion: string
  /** Milliseconds; 0 before NRI 0.7, which does not send it. */
  requestTimeout: string
}

export interface SynchronizeRequest {
  pods?: WirePod[]
  containers?: WireContainer[]
  /** Whether the list continues in another request. */
  more: boolean
}

/** The request of StartContainer, StopContainer and RemoveContainer. */
export interface ContainerRequest {
  pod: WirePod | null
  container: WireContainer | null
}

export interface StateChangeEvent extends ContainerRequest {
  event: string | number
}

export interface TtrpcRequest {
  service: string
  method: string
  payload: Buffer
  /** Nanoseconds after which the caller no longer waits; 0 for no limit. */
  timeoutNano: string
}

export interface TtrpcResponse {
  status: { code: number; message: string } | null
  payload: Buffer
}

const definitions = protoDefinitions(nriProtos)

const typeOf = (name: string): MessageTypeDefinition<object, object> =>
  definitions[name] as MessageTypeDefinition<object, object>

/** @throws {NriError} PROTOCOL */
export function decodeMessage<Message>(name: string, bytes: Buffer): Message {
  try {
    return typeOf(name).deserialize(bytes) as Message
  } catch (error) {
    throw new NriError('PROTOCOL', `${bytes.length} bytes are not a ${name}`, { cause: error })
  }
}

export const encodeMessage = (name: string, message: object): Buffer => typeOf(name).serialize(message)
