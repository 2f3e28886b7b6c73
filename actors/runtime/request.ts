declare const reply: unique symbol

/**
 * A message that `ask` and `tell` accept, with the type of its reply. The symbol exists only for the type checker:
 * `type Status = Request<{ type: 'status' }, { ready: boolean }>` is sent as plain `{ type: 'status' }`.
 */
export type Request<Body extends object, Reply> = Body & { readonly [reply]?: Reply }

/** The members of a message union that are requests. */
export type RequestsOf<Message> = Message extends unknown
  ? typeof reply extends keyof Message
    ? Message
    : never
  : never

/** The type of the reply to a request. */
export type ReplyOf<Message> = Message extends { readonly [reply]?: infer Reply } ? Reply : never

/** The reply type for the message that is sent, given all messages of the actor. */
export type ReplyTo<Message, Sent> =
  RequestsOf<Message> extends infer Member
    ? Member extends unknown
      ? Sent extends Member
        ? ReplyOf<Member>
        : never
      : never
    : never
