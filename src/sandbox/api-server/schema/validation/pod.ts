import {
  child,
  duplicate,
  type FieldIssue,
  forbiddenField,
  invalidValue,
  item,
  notFoundValue,
  notSupported,
  required,
} from '../../field-issue.ts'
import { isObject, type JsonObject, type JsonValue, listOf, numberOf, objectOf, sameJson, textOf } from '../json.ts'
import { labelIssues } from '../metadata.ts'
import {
  environmentNameProblems,
  labelProblems,
  portNameProblems,
  portProblems,
  rangeProblem,
  subdomainProblems,
} from '../names.ts'
import { parseQuantity } from '../quantity.ts'
import { appArmorIssues, seccompIssues, securityContextStruct } from './security-profiles.ts'

const invalids = (field: string, value: JsonValue, problems: readonly string[]): FieldIssue[] =>
  problems.map((problem) => invalidValue(field, value, problem))

/** A value out of a fixed set: missing, or not in it. */
export function choice(field: string, value: JsonValue | undefined, allowed: readonly string[]): FieldIssue[] {
  const text = textOf(value)
  if (text === '') return [required(field)]
  return allowed.includes(text) ? [] : [notSupported(field, text, allowed)]
}

const protocols = ['SCTP', 'TCP', 'UDP']

function portIssues(ports: JsonValue[], field: string): FieldIssue[] {
  const names = new Set<string>()
  return ports.flatMap((entry, index) => {
    const port = objectOf(entry)
    const place = item(field, index)
    const name = textOf(port.name)
    const problems = name === '' ? [] : portNameProblems(name)
    const repeated = name !== '' && problems.length === 0 && names.has(name)
    names.add(name)
    const numbers = ['containerPort', 'hostPort'].flatMap((key) => {
      const number = numberOf(port[key])
      if (number !== 0) return invalids(child(place, key), number, portProblems(number))
      return key === 'containerPort' ? [required(child(place, key))] : []
    })
    return [
      ...invalids(child(place, 'name'), name, problems),
      ...(repeated ? [duplicate(child(place, 'name'), name)] : []),
      ...numbers,
      ...choice(child(place, 'protocol'), port.protocol, protocols),
    ]
  })
}

function environmentIssues(variables: JsonValue[], field: string): FieldIssue[] {
  return variables.flatMap((entry, index) => {
    const variable = objectOf(entry)
    const name = textOf(variable.name)
    const place = child(item(field, index), 'name')
    const from = variable.valueFrom
    const both = isObject(from) && textOf(variable.value) !== ''
    return [
      ...(name === '' ? [required(place)] : invalids(place, name, environmentNameProblems(name))),
      ...(both
        ? [invalidValue(child(item(field, index), 'valueFrom'), '', 'may not be specified when `value` is not empty')]
        : []),
    ]
  })
}

function mountIssues(mounts: JsonValue[], volumes: ReadonlySet<string>, field: string): FieldIssue[] {
  const paths = new Set<string>()
  return mounts.flatMap((entry, index) => {
    const mount = objectOf(entry)
    const [name, path] = [textOf(mount.name), textOf(mount.mountPath)]
    const place = item(field, index)
    const taken = paths.has(path)
    paths.add(path)
    return [
      ...(name === '' ? [required(child(place, 'name'))] : []),
      ...(volumes.has(name) ? [] : [notFoundValue(child(place, 'name'), name)]),
      ...(path === '' ? [required(child(place, 'mountPath'))] : []),
      ...(taken ? [invalidValue(child(place, 'mountPath'), path, 'must be unique')] : []),
    ]
  })
}

function resourceIssues(resources: JsonObject, field: string): FieldIssue[] {
  const limits = objectOf(resources.limits)
  return Object.entries(objectOf(resources.requests)).flatMap(([name, value]) => {
    const [request, limit] = [parseQuantity(String(value)), parseQuantity(String(limits[name] ?? ''))]
    if (request === undefined || limit === undefined || request <= limit) return []
    const detail = `must be less than or equal to ${name} limit of ${String(limits[name])}`
    return [invalidValue(child(field, 'requests'), String(value), detail)]
  })
}

function securityIssues(context: JsonObject, field: string): FieldIssue[] {
  const ids = ['runAsUser', 'runAsGroup'].flatMap((name) => {
    const id = context[name]
    return typeof id === 'number' && (id < 0 || id > 2147483647)
      ? [invalidValue(child(field, name), id, rangeProblem(0, 2147483647))]
      : []
  })
  const denied = context.allowPrivilegeEscalation === false
  const added = listOf(objectOf(context.capabilities).add)
  const contradiction = (detail: string): FieldIssue => invalidValue(field, securityContextStruct(context), detail)
  return [
    ...ids,
    ...seccompIssues(context.seccompProfile, child(field, 'seccompProfile')),
    ...(denied && context.privileged === true
      ? [contradiction('cannot set `allowPrivilegeEscalation` to false and `privileged` to true')]
      : []),
    ...(denied && added.includes('CAP_SYS_ADMIN')
      ? [contradiction('cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN')]
      : []),
    ...appArmorIssues(context.appArmorProfile, child(field, 'appArmorProfile')),
  ]
}

const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc']

function probeIssues(container: JsonObject, field: string): FieldIssue[] {
  return ['livenessProbe', 'readinessProbe', 'startupProbe'].flatMap((name) => {
    const probe = container[name]
    if (!isObject(probe)) return []
    const place = child(field, name)
    const given = handlers.filter((handler) => isObject(probe[handler]))
    const numbers = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold']
    return [
      ...(given.length === 0 ? [required(place, 'must specify a handler type')] : []),
      ...given
        .slice(1)
        .map((handler) => forbiddenField(child(place, handler), 'may not specify more than 1 handler type')),
      ...numbers
        .filter((key) => numberOf(probe[key]) < 0)
        .map((key) => invalidValue(child(place, key), numberOf(probe[key]), 'must be greater than or equal to 0')),
      ...(name !== 'readinessProbe' && numberOf(probe.successThreshold) !== 1
        ? [invalidValue(child(place, 'successThreshold'), numberOf(probe.successThreshold), 'must be 1')]
        : []),
    ]
  })
}

function containerIssues(container: JsonObject, volumes: ReadonlySet<string>, field: string): FieldIssue[] {
  const name = textOf(container.name)
  return [
    ...(name === '' ? [required(child(field, 'name'))] : invalids(child(field, 'name'), name, labelProblems(name))),
    ...(textOf(container.image) === '' ? [required(child(field, 'image'))] : []),
    ...choice(child(field, 'terminationMessagePolicy'), container.terminationMessagePolicy, [
      'File',
      'FallbackToLogsOnError',
    ]),
    ...portIssues(listOf(container.ports), child(field, 'ports')),
    ...environmentIssues(listOf(container.env), child(field, 'env')),
    ...mountIssues(listOf(container.volumeMounts), volumes, child(field, 'volumeMounts')),
    ...choice(child(field, 'imagePullPolicy'), container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']),
    ...resourceIssues(objectOf(container.resources), child(field, 'resources')),
    ...securityIssues(objectOf(container.securityContext), child(field, 'securityContext')),
  ]
}

function containersIssues(spec: JsonObject, volumes: ReadonlySet<string>, field: string): FieldIssue[] {
  const containers = listOf(spec.containers).map(objectOf)
  const place = child(field, 'containers')
  if (containers.length === 0) return [required(place)]
  const names = new Set<string>()
  return containers.flatMap((container, index) => {
    const here = item(place, index)
    const name = textOf(container.name)
    const repeated = names.has(name)
    names.add(name)
    return [
      ...containerIssues(container, volumes, here),
      ...(repeated ? [duplicate(child(here, 'name'), name)] : []),
      ...probeIssues(container, here),
    ]
  })
}

function initContainersIssues(spec: JsonObject, volumes: ReadonlySet<string>, field: string): FieldIssue[] {
  const names = new Set(listOf(spec.containers).map((container) => textOf(objectOf(container).name)))
  return listOf(spec.initContainers).flatMap((entry, index) => {
    const container = objectOf(entry)
    const here = item(child(field, 'initContainers'), index)
    const name = textOf(container.name)
    const repeated = names.has(name)
    names.add(name)
    const restarts = container.restartPolicy === 'Always'
    const probes = ['livenessProbe', 'readinessProbe', 'startupProbe'].filter(
      (key) => isObject(container[key]) && !restarts,
    )
    return [
      ...containerIssues(container, volumes, here),
      ...(repeated ? [duplicate(child(here, 'name'), name)] : []),
      ...probes.map((key) =>
        forbiddenField(child(here, key), 'may not be set for init containers without restartPolicy=Always'),
      ),
    ]
  })
}

function volumeIssues(volumes: JsonValue[], field: string): { issues: FieldIssue[]; names: Set<string> } {
  const names = new Set<string>()
  const issues = volumes.flatMap((entry, index) => {
    const volume = objectOf(entry)
    const place = item(field, index)
    const name = textOf(volume.name)
    const sources = Object.keys(volume).filter((key) => key !== 'name')
    const found = [
      ...sources
        .slice(1)
        .map((source) => forbiddenField(child(place, source), 'may not specify more than 1 volume type')),
      ...(name === '' ? [required(child(place, 'name'))] : invalids(child(place, 'name'), name, labelProblems(name))),
      ...(names.has(name) ? [duplicate(child(place, 'name'), name)] : []),
    ]
    if (found.length === 0) names.add(name)
    return found
  })
  return { issues, names }
}

const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']

function wordIssues(spec: JsonObject, field: string): FieldIssue[] {
  const account = textOf(spec.serviceAccountName)
  const node = textOf(spec.nodeName)
  const deadline = spec.activeDeadlineSeconds
  const hosts = ['hostname', 'subdomain'].flatMap((name) => {
    const value = textOf(spec[name])
    return value === '' ? [] : invalids(child(field, name), value, labelProblems(value))
  })
  return [
    ...choice(child(field, 'restartPolicy'), spec.restartPolicy, ['Always', 'OnFailure', 'Never']),
    ...choice(child(field, 'dnsPolicy'), spec.dnsPolicy, dnsPolicies),
    ...labelIssues(spec.nodeSelector, child(field, 'nodeSelector')),
    ...(account === '' ? [] : invalids(child(field, 'serviceAccountName'), account, subdomainProblems(account))),
    ...(node === '' ? [] : invalids(child(field, 'nodeName'), node, subdomainProblems(node))),
    ...(typeof deadline === 'number' && (deadline < 1 || deadline > 2147483647)
      ? [invalidValue(child(field, 'activeDeadlineSeconds'), deadline, rangeProblem(1, 2147483647))]
      : []),
    ...hosts,
  ]
}

/** What the server would refuse in the spec of a pod or of its template, after defaults. */
export function podSpecIssues(spec: JsonObject, field: string): FieldIssue[] {
  const volumes = volumeIssues(listOf(spec.volumes), child(field, 'volumes'))
  return [
    ...volumes.issues,
    ...containersIssues(spec, volumes.names, field),
    ...initContainersIssues(spec, volumes.names, field),
    ...wordIssues(spec, field),
    ...podSecurityIssues(objectOf(spec.securityContext), child(field, 'securityContext')),
  ]
}

const podSecurityIssues = (context: JsonObject, field: string): FieldIssue[] => [
  ...seccompIssues(context.seccompProfile, child(field, 'seccompProfile')),
  ...appArmorIssues(context.appArmorProfile, child(field, 'appArmorProfile')),
]

const changeable = [
  'activeDeadlineSeconds',
  'tolerations',
  'terminationGracePeriodSeconds',
  'schedulingGates',
  'nodeSelector',
  'ephemeralContainers',
  'affinity',
]

function fixedPart(spec: JsonObject): JsonObject {
  const without = (containers: JsonValue | undefined) =>
    listOf(containers).map((container) => {
      const { image: _, resources: __, ...rest } = objectOf(container)
      return rest
    })
  const rest = Object.fromEntries(Object.entries(spec).filter(([name]) => !changeable.includes(name)))
  return { ...rest, containers: without(spec.containers), initContainers: without(spec.initContainers) }
}

const POD_UPDATE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

/** What may not change in a pod that is there: nearly everything. The binding (`nodeName`) is a subresource's matter. */
export function podUpdateIssues(spec: JsonObject, old: JsonObject): FieldIssue[] {
  for (const name of ['containers', 'initContainers'])
    if (listOf(spec[name]).length !== listOf(old[name]).length)
      return [forbiddenField(child('spec', name), 'pod updates may not add or remove containers')]
  const bound = textOf(old.nodeName) === '' && textOf(spec.nodeName) !== '' ? { ...spec, nodeName: old.nodeName } : spec
  return sameJson(fixedPart(bound), fixedPart(old)) ? [] : [forbiddenField('spec', POD_UPDATE)]
}
