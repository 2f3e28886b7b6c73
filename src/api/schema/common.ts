import { anything, choice, integer, list, map, object, optional, portNumber, text, word } from './build.ts'

export const labelSelectorOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const

// Syntax of names, label keys and label values: Kubernetes, "Object Names and IDs" and "Labels and Selectors".
const labelValuePattern = '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$'
const labelKeyPattern =
  '^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$'
const labelKeyForm = 'a label key such as app or example.com/app, its name at most 63 characters'

export const subdomain = {
  maxLength: 253,
  pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
  form: 'lower-case letters, digits, - and ., with a letter or digit at both ends',
}

/**
 * The syntax of the names of namespaces, containers and similar objects. With `emptyToo`, the empty text is also valid.
 */
export const dnsLabel = (emptyToo: '' | 'emptyToo' = '') => ({
  maxLength: 63,
  pattern: emptyToo === '' ? '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' : '^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$',
  form: 'lower-case letters, digits and -, with a letter or digit at both ends',
})

const labelValue = text('A value.', {
  maxLength: 63,
  pattern: labelValuePattern,
  form: 'letters, digits, -, _ and ., with a letter or digit at both ends',
})

const labelSelectorRequirement = object(
  'One requirement on a label.',
  {
    key: text('Key of the label.', { maxLength: 317, pattern: labelKeyPattern, form: labelKeyForm }),
    operator: choice('How to compare the value of the label with `values`.', labelSelectorOperators),
    values: optional(
      list('At least one value for In and NotIn, none for Exists and DoesNotExist.', labelValue, {
        maxItems: 1024,
        listType: 'atomic',
      }),
    ),
  },
  { rulesAt: 'labelSelectorRequirement' },
)

/** A label selector of Kubernetes. An object must meet all requirements; an empty selector selects every object. */
export const labelSelector = (description: string) =>
  object(
    description,
    {
      matchLabels: optional(
        map('Labels that must have exactly these values.', labelValue, {
          maxProperties: 256,
          keys: { pattern: labelKeyPattern, form: labelKeyForm },
        }),
      ),
      matchExpressions: optional(
        list('Requirements on labels. All must hold.', labelSelectorRequirement, {
          maxItems: 256,
          listType: 'atomic',
        }),
      ),
    },
    { mapType: 'atomic' },
  )

/**
 * Kubernetes' object metadata. Fields that vArmor reads or writes have a type; other fields have only a name. The API
 * server checks all fields.
 */
export const objectMeta = object('Standard metadata of a Kubernetes object.', {
  name: text('Name of the object.', subdomain),
  namespace: optional(text('Namespace of the object.', dnsLabel())),
  uid: optional(text('Identity given by the API server.')),
  resourceVersion: optional(text('Version of the stored object.')),
  generation: optional(integer('Counts the changes of the spec.', { format: 'int64' })),
  creationTimestamp: optional(anything('When the object was created, RFC 3339.')),
  deletionTimestamp: optional(anything('When deletion was requested, RFC 3339.')),
  labels: optional(map('Labels.', text('A value.'))),
  annotations: optional(map('Annotations.', text('A value.'))),
  finalizers: optional(list('Finalizers: tasks that must be done before the object is removed.', text('A finalizer.'))),
  ownerReferences: optional(anything('Objects that own this object.')),
  managedFields: optional(anything('Which program set which field.')),
  generateName: optional(text('Prefix of a name that the API server completes.')),
  deletionGracePeriodSeconds: optional(anything('Grace period of the deletion, in seconds.')),
  selfLink: optional(anything('Unused.')),
})

export const port = object(
  'A port or a range of ports.',
  {
    port: portNumber('The port, or the first port of the range; 1 to 65535.'),
    endPort: optional(portNumber('The last port of the range, at least `port`. Without it, only `port`.')),
  },
  { rulesAt: 'port' },
)

export const ports = (description: string) => list(description, port, { maxItems: 256 })

export const ruleQualifiers = { deny: [], audit: [] } as const

/** `deny`, `audit` or both: what a raw rule of the BPF enforcer does on a match. */
export const qualifiers = () =>
  list(
    'What happens on a match: `deny` refuses it, `audit` reports it. Without this field, the same as for the built-in rules of the policy.',
    word('deny or audit, in any case.', ruleQualifiers),
    { minItems: 1, maxItems: 8 },
  )

export const conditionStatuses = ['True', 'False', 'Unknown'] as const

/** The fields of every condition in a status, except its type. */
export const conditionFields = {
  status: choice('Whether the condition holds.', conditionStatuses),
  lastTransitionTime: optional(text('When the status last changed, RFC 3339.', { format: 'date-time' })),
  reason: optional(text('Why, as one word for programs.')),
  message: optional(text('Why, for people to read.')),
}

export const apiVersion = 'crd.varmor.org/v1beta1'

/** The fields `apiVersion` and `kind` of every object. */
export const typeMeta = <K extends string>(kind: K) => ({
  apiVersion: choice('Group and version of this kind.', [apiVersion] as const),
  kind: choice('Name of this kind.', [kind] as const),
})
