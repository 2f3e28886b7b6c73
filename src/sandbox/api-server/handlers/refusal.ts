import type { AccessAttributes } from '../auth/authorizer.ts'
import { type ApiStatusError, forbidden } from '../status.ts'

/** The 403 of an authorizer that says no. */
export function refusal(asked: AccessAttributes, reason: string): ApiStatusError {
  const problem = sanitized(refusalText(asked))
  const about = { group: asked.group, resource: asked.resource }
  return forbidden(about, asked.name, reason === '' ? problem : `${problem}: ${reason}`)
}

function refusalText({ user, isResource, verb, path, ...asked }: AccessAttributes): string {
  const who = `User ${JSON.stringify(user.name)} cannot ${verb}`
  if (!isResource) return `${who} path ${JSON.stringify(path)}`
  const resource = asked.subresource === '' ? asked.resource : `${asked.resource}/${asked.subresource}`
  const where = asked.namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(asked.namespace)}`
  return `${who} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(asked.group)} ${where}`
}

/** Nothing that a browser could take for HTML. */
const sanitized = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
