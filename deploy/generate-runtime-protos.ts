/**
 * Writes the parts of the interfaces of containerd, CRI and NRI that the agent and the sandbox's kubelet need. Their
 * source is the .proto files in the Go modules of these projects (Apache-2.0). Needs Go, to download the modules.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

/**
 * Versions of the modules. Any version works with older and newer runtimes, because versions only add fields.
 */
export const modules = {
  'github.com/containerd/containerd/api': 'v1.12.0',
  'k8s.io/cri-api': 'v0.37.2',
  'github.com/containerd/nri': 'v0.12.3',
  'github.com/containerd/ttrpc': 'v1.2.9',
} as const

const files: [module: keyof typeof modules, path: string][] = [
  ['github.com/containerd/containerd/api', 'services/containers/v1/containers.proto'],
  ['github.com/containerd/containerd/api', 'services/tasks/v1/tasks.proto'],
  ['github.com/containerd/containerd/api', 'services/events/v1/events.proto'],
  ['github.com/containerd/containerd/api', 'services/version/v1/version.proto'],
  ['github.com/containerd/containerd/api', 'services/introspection/v1/introspection.proto'],
  ['github.com/containerd/containerd/api', 'types/runc/options/oci.proto'],
  ['github.com/containerd/containerd/api', 'events/task.proto'],
  ['github.com/containerd/containerd/api', 'events/container.proto'],
  ['k8s.io/cri-api', 'pkg/apis/runtime/v1/api.proto'],
  ['github.com/containerd/nri', 'pkg/api/api.proto'],
  ['github.com/containerd/ttrpc', 'request.proto'],
]

/** ttrpc's responses refer to this file of https://github.com/googleapis/googleapis, which is in no Go module. */
const statusFile = 'google/rpc/status.proto'
const statusProto = `syntax = "proto3";
package google.rpc;
message Status {
  int32 code = 1;
  string message = 2;
}`

/** Methods and messages that a program uses. The output also contains all messages that they refer to. */
export interface ProtoSelection {
  /** The path of the output file, relative to the project's root. */
  file: string
  name: string
  methods: string[]
  messages: string[]
  /** The fields that the program reads, for some messages. It skips the other fields of these messages. */
  fields?: Readonly<Record<string, readonly string[]>>
}

const of = (service: string, ...methods: string[]): string[] => methods.map((method) => `${service}.${method}`)

const forAgent: ProtoSelection = {
  file: 'src/agent/containers/runtime-protos.ts',
  name: 'runtimeProtos',
  methods: [
    ...of('containerd.services.containers.v1.Containers', 'Get', 'List'),
    ...of('containerd.services.tasks.v1.Tasks', 'Get', 'List'),
    ...of('containerd.services.events.v1.Events', 'Subscribe'),
    ...of('containerd.services.version.v1.Version', 'Version'),
    ...of('containerd.services.introspection.v1.Introspection', 'PluginInfo'),
    ...of('runtime.v1.RuntimeService', 'ListPodSandbox', 'ListContainers', 'ContainerStatus', 'GetContainerEvents'),
    ...of('runtime.v1.RuntimeService', 'Status'),
  ],
  messages: [
    ...of('containerd.events', 'TaskStart', 'TaskExecStarted', 'TaskExit', 'TaskDelete'),
    ...of('containerd.events', 'ContainerCreate', 'ContainerUpdate', 'ContainerDelete'),
    ...of('containerd.types', 'RuntimeRequest', 'RuntimeInfo'),
    'containerd.runc.v1.Options',
  ],
  fields: {
    'containerd.services.introspection.v1.PluginInfoResponse': ['extra'],
    'containerd.types.RuntimeInfo': ['features'],
    'containerd.runc.v1.Options': ['binaryName'],
    'runtime.v1.StatusResponse': ['info'],
    'runtime.v1.Container': ['id', 'podSandboxId', 'metadata', 'state', 'labels'],
    'runtime.v1.ContainerStatus': ['id', 'state', 'image', 'labels', 'metadata'],
    'runtime.v1.ContainerEventResponse': ['containerId', 'containerEventType'],
  },
}

const pods = ['RunPodSandbox', 'StopPodSandbox', 'RemovePodSandbox', 'ListPodSandbox', 'PodSandboxStatus']
const containers = ['CreateContainer', 'StartContainer', 'StopContainer', 'RemoveContainer', 'ListContainers']

const forKubelet: ProtoSelection = {
  file: 'src/sandbox/kubelet/cri-protos.ts',
  name: 'criProtos',
  methods: [
    ...of('runtime.v1.RuntimeService', 'Version', ...pods, ...containers, 'ContainerStatus', 'Exec'),
    ...of('runtime.v1.ImageService', 'ImageStatus', 'PullImage'),
  ],
  messages: [],
}

const nri = 'nri.pkg.api.v1alpha1'

const forNri: ProtoSelection = {
  file: 'src/agent/nri/nri-protos.ts',
  name: 'nriProtos',
  methods: [
    ...of(`${nri}.Runtime`, 'RegisterPlugin'),
    ...of(`${nri}.Plugin`, 'Configure', 'Synchronize', 'Shutdown', 'StateChange'),
    ...of(`${nri}.Plugin`, 'StartContainer', 'StopContainer', 'RemoveContainer'),
  ],
  messages: of('ttrpc', 'Request', 'Response'),
  fields: {
    [`${nri}.PodSandbox`]: ['id', 'name', 'uid', 'namespace', 'labels', 'annotations'],
    [`${nri}.Container`]: ['id', 'podSandboxId', 'name', 'state', 'labels', 'annotations', 'pid'],
    [`${nri}.ConfigureRequest`]: ['runtimeName', 'runtimeVersion', 'requestTimeout'],
    // Only plugins that change containers need updates.
    [`${nri}.SynchronizeResponse`]: ['more'],
    [`${nri}.StopContainerResponse`]: [],
    'ttrpc.Request': ['service', 'method', 'payload', 'timeoutNano'],
  },
}

export const selections: readonly ProtoSelection[] = [forAgent, forKubelet, forNri]

/** @param directories folders of the modules */
export function protosOf(
  { methods, messages, fields = {} }: ProtoSelection,
  directories: Readonly<Record<keyof typeof modules, string>>,
): string {
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) => {
    if (target === statusFile) return null
    // protobuf.js has built-in definitions of the common types, and its package includes descriptor.proto.
    const found = [...Object.values(directories), dirname(createRequire(import.meta.url).resolve('protobufjs'))].map(
      (directory) => join(directory, target),
    )
    return found.find(existsSync) ?? target
  }
  protobuf.parse(statusProto, root)
  root.loadSync(files.map(([module, path]) => join(directories[module], path)))
  root.resolveAll()
  for (const [name, wanted] of Object.entries(fields)) keepFields(root.lookupType(name), wanted)
  const kept = new protobuf.Root()
  for (const name of methods) keepMethod(kept, root, name)
  for (const name of messages) keepType(kept, root.lookupType(name))
  return JSON.stringify(sorted(kept.toJSON()))
}

function keepFields(type: protobuf.Type, wanted: readonly string[]): void {
  for (const name of wanted)
    if (type.fields[name] === undefined) throw new Error(`${type.fullName} has no field ${name}`)
  for (const field of type.fieldsArray) if (!wanted.includes(field.name)) type.remove(field)
}

function keepMethod(kept: protobuf.Root, root: protobuf.Root, name: string): void {
  const [serviceName, methodName] = [name.slice(0, name.lastIndexOf('.')), name.slice(name.lastIndexOf('.') + 1)]
  const method = root.lookupService(serviceName).methods[methodName]
  if (method === undefined) throw new Error(`there is no method ${name}`)
  method.resolve()
  const { type, resolvedRequestType, resolvedResponseType, requestStream, responseStream } = method
  if (resolvedRequestType === null || resolvedResponseType === null) throw new Error(`${name} refers to unknown types`)
  const parent = kept.define(serviceName.slice(0, serviceName.lastIndexOf('.')))
  const own = serviceName.slice(serviceName.lastIndexOf('.') + 1)
  const service = (parent.get(own) as protobuf.Service | null) ?? new protobuf.Service(own)
  if (service.parent === null) parent.add(service)
  const [request, response] = [resolvedRequestType.fullName.slice(1), resolvedResponseType.fullName.slice(1)]
  service.add(new protobuf.Method(methodName, type, request, response, requestStream, responseStream))
  keepType(kept, resolvedRequestType)
  keepType(kept, resolvedResponseType)
}

function keepType(kept: protobuf.Root, type: protobuf.Type | protobuf.Enum): void {
  const path = type.fullName.slice(1).split('.')
  const name = path.pop()!
  const parent = path.length === 0 ? kept : kept.define(path)
  if (parent.get(name) !== null && !isPlaceholder(parent.get(name)!)) return
  if (type instanceof protobuf.Enum) {
    parent.add(new protobuf.Enum(name, { ...type.values }))
    return
  }
  const copy = new protobuf.Type(name)
  for (const { name: field, id, type: of, rule, resolvedType, ...rest } of type.fieldsArray.map(describe)) {
    const named = resolvedType?.fullName.slice(1) ?? of
    copy.add(
      rest.keyType === undefined
        ? new protobuf.Field(field, id, named, rule)
        : new protobuf.MapField(field, id, rest.keyType, named),
    )
  }
  // A nested type may have created this type as an empty parent. Replace it.
  const before = parent.get(name)
  if (before !== null) {
    for (const nested of (before as protobuf.Namespace).nestedArray) copy.add(nested)
    parent.remove(before)
  }
  parent.add(copy)
  for (const { resolvedType } of type.fieldsArray.map(describe)) if (resolvedType !== null) keepType(kept, resolvedType)
}

const isPlaceholder = (object: protobuf.ReflectionObject): boolean =>
  object instanceof protobuf.Namespace && !(object instanceof protobuf.Type) && !(object instanceof protobuf.Service)

function describe(field: protobuf.Field) {
  field.resolve()
  const { name, id, type, resolvedType } = field
  const keyType = field instanceof protobuf.MapField ? field.keyType : undefined
  const rule = field.repeated ? 'repeated' : undefined
  return { name, id, type, rule, resolvedType, keyType }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  // A field that was not sent has the first value of its enum, so this value must have number 0.
  const isEnum = Object.values(value).every((one) => typeof one === 'number')
  const entries = Object.entries(value).sort(([a, one], [b, other]) => (isEnum ? one - other : a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, field]) => [name, sorted(field)]))
}

const moduleDirectory = (module: keyof typeof modules): string =>
  JSON.parse(execFileSync('go', ['mod', 'download', '-json', `${module}@${modules[module]}`]).toString()).Dir

export const moduleDirectories = (): Record<keyof typeof modules, string> => {
  const names = Object.keys(modules) as (keyof typeof modules)[]
  return Object.fromEntries(names.map((name) => [name, moduleDirectory(name)])) as Record<keyof typeof modules, string>
}

export const dataFile = (
  { name }: ProtoSelection,
  protos: string,
): string => `// Written by deploy/generate-runtime-protos.ts, from:
${Object.entries(modules)
  .map((module) => `// ${module.join(' ')}`)
  .join('\n')}

/** Services and messages of containerd, CRI and NRI: a protobuf.js descriptor as JSON. */
export const ${name} =
  '${protos}'
`

if (argv[1] === fileURLToPath(import.meta.url)) {
  const directories = moduleDirectories()
  for (const selection of selections)
    writeFileSync(
      new URL(`../${selection.file}`, import.meta.url),
      dataFile(selection, protosOf(selection, directories)),
    )
}
