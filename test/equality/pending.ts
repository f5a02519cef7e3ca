/**
 * Sessions in which Chapar does not yet say what RabbitMQ says, and what is missing. Such a session must fail: whoever makes it pass
 * takes it off the list.
 */
export const pending: { readonly [session: string]: string } = {
  'ttl-order': 'expiry is not built yet',
  'queue-expires': 'expiry is not built yet',
  'queue-expires-publishing': 'expiry is not built yet',
  'invalid-x-message-ttl': 'more than ten years are taken, and refused by RabbitMQ',
  'invalid-x-expires': 'more than ten years are taken, and refused by RabbitMQ',
  'dead-letter-maxlen': 'limits are not built yet',
  'max-length-drop-head': 'limits are not built yet',
  'max-length-held': 'limits are not built yet',
  'max-length-bytes': 'limits are not built yet',
  'max-length-reject-publish': 'limits are not built yet',
  'max-length-reject-publish-dlx': 'limits are not built yet',
  'max-length-reject-publish-some': 'limits are not built yet',
  'max-length-reject-publish-bytes': 'limits are not built yet',
  'max-length-consumer': 'limits are not built yet',
  'max-length-tx': 'limits are not built yet',
  'priorities-full': 'limits are not built yet',
  'delivery-limit': 'the delivery limit is not built yet',
  'delivery-limit-connection-lost': 'the delivery limit is not built yet',
  'priorities-expiring': 'what has expired goes a moment after it became the head, and is counted until then',
  'policy-max-length': 'limits are not built yet',
  'policy-overflow': 'limits are not built yet',
  'policy-expires': 'expiry of queues is not built yet',
};
