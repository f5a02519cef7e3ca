import { expect, test } from 'vitest';
import { formPart } from './multipart.js';

const form = (...parts: [head: string, content: string][]) =>
  Buffer.from(`${parts.map(([head, content]) => `--b\r\n${head}\r\n\r\n${content}\r\n`).join('')}--b--\r\n`);

test('finds the part by its name, whatever stands around it', () => {
  const body = form(
    ['Content-Disposition: form-data; name="redirect"', '../#/import'],
    ['content-disposition: form-data; name="file"; filename="x.json"\r\nContent-Type: application/json', '{"a":\r\n1}'],
  );
  expect(formPart('multipart/form-data; boundary=b', body, 'file')?.toString()).toBe('{"a":\r\n1}');
  expect(formPart('multipart/form-data; boundary="b"', body, 'redirect')?.toString()).toBe('../#/import');
});

test('no such part, another type, or a form that was cut: nothing', () => {
  const body = form(['Content-Disposition: form-data; name="other"', 'x']);
  expect(formPart('multipart/form-data; boundary=b', body, 'file')).toBeNull();
  expect(formPart('application/json', body, 'other')).toBeNull();
  expect(formPart(undefined, body, 'other')).toBeNull();
  expect(formPart('multipart/form-data; boundary=b', body.subarray(0, 20), 'other')).toBeNull();
});
