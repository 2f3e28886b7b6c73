/** What a guest is made of cannot be had here: no mistake of the tests, which are then skipped with this reason. */
export class NotAvailable extends Error {
  override name = 'NotAvailable'
}
