// A mandatory message that no queue wants comes back to who sent it. Uses amqplib's callback API.
import amqp from 'amqplib/callback_api';
import { fail, giveUpAfter, url } from './options.mjs';

giveUpAfter(30, 'the broker did not return the message');

amqp.connect(url, (problem, connection) => {
  if (problem) fail(problem.message);
  connection.createConfirmChannel((problem, channel) => {
    if (problem) fail(problem.message);

    let returned = false;
    channel.on('return', ({ fields, content }) => {
      returned = true;
      console.log(`came back: ${content} (${fields.replyCode} ${fields.replyText}, key ${fields.routingKey})`);
      if (fields.replyCode !== 312) fail('312 was expected');
    });

    const key = 'a-queue-that-nobody-declared';
    channel.publish('', key, Buffer.from('hello?'), { mandatory: true }, (problem) => {
      if (problem) fail(`refused: ${problem.message}`);
      // The broker confirms it all the same (it has done what it could), and returns it before that.
      if (!returned) fail('the confirm came without, or before, the return');
      console.log('and the broker confirmed that it has dealt with it');
      connection.close();
    });
  });
});
