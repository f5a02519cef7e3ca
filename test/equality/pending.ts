/**
 * Sessions in which Chapar does not yet say what RabbitMQ says, and what is missing. Such a session must fail: whoever makes it pass
 * takes it off the list.
 */
export const pending: { readonly [session: string]: string } = {};
