/** A part of a guest is not available on this machine. The tests did not fail: they are skipped with this reason. */
export class NotAvailable extends Error {
  override name = 'NotAvailable'
}
