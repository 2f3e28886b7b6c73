import type { DocumentOptions, ParseOptions, ScalarTag, SchemaOptions, Tags } from 'yaml'

const yes = /^(?:y|Y|yes|Yes|YES|on|On|ON|true|True|TRUE)$/
const no = /^(?:n|N|no|No|NO|off|Off|OFF|false|False|FALSE)$/

/** The booleans of YAML 1.1, as in kubectl: `on` is true, even in a text field. */
const bool: ScalarTag = {
  tag: 'tag:yaml.org,2002:bool',
  default: true,
  test: new RegExp(`${yes.source}|${no.source}`),
  resolve: (text) => yes.test(text),
}

/** `0100` is octal in kubectl, but a hundred in YAML 1.2. The difference matters in a chmod rule. */
const octal: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^[-+]?0[0-7]+$/,
  resolve: (text) => Number.parseInt(text, 8),
}

const binary: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^0b[01]+$/,
  resolve: (text) => Number.parseInt(text.slice(2), 2),
}

/**
 * Options to read YAML as kubectl does, so that a policy means the same here as in a cluster: YAML 1.2 with the
 * booleans, octal numbers and merge keys of YAML 1.1 (sigs.k8s.io/yaml, goyaml.v2 resolve.go). A repeated key is an
 * error.
 */
export const likeKubectl: ParseOptions & DocumentOptions & SchemaOptions = {
  version: '1.2',
  merge: true,
  // `shapeOf` checks for repeated keys: the check of the library is slow, because it compares each key with all other
  // keys.
  uniqueKeys: false,
  strict: true,
  prettyErrors: false,
  customTags: (tags: Tags) => [bool, octal, binary, ...tags],
}
