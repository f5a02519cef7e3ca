import { describe, expect, it } from 'vitest';
import { commonNamesOf, parseAlternativeNames, rfc4514 } from './certificate.js';

describe('distinguished names', () => {
  it('turns the certificate order into that of RFC 4514', () => {
    expect(rfc4514('C=IR\nO=Relay\nCN=alice')).toBe('CN=alice,O=Relay,C=IR');
    expect(rfc4514('O=A\\+B\nOU=x + CN=y')).toBe('OU=x+CN=y,O=A\\+B');
  });

  it('unescapes common names', () => {
    expect(commonNamesOf('CN=plain\nO=CN=not this')).toEqual(['plain']);
    expect(commonNamesOf('CN=a\\, b\\\\c\\"d')).toEqual(['a, b\\c"d']);
    expect(commonNamesOf('CN=line\\0Abreak\\C3\\BC')).toEqual(['line\nbreakü']);
    expect(commonNamesOf('CN=\\5C0A')).toEqual(['\\0A']);
    expect(commonNamesOf('OU=a + CN=b')).toEqual(['b']);
  });
});

describe('alternative names', () => {
  it('reads quoted values and does not let them smuggle in others', () => {
    expect(parseAlternativeNames('DNS:a.example, URI:"http://x/, DNS:admin.example"')).toEqual([
      { type: 'dns', value: 'a.example' },
      { type: 'uri', value: 'http://x/, DNS:admin.example' },
    ]);
    expect(parseAlternativeNames('DNS:"quote\\" and \\u0000", DNS:b')).toEqual([
      { type: 'dns', value: 'quote" and \0' },
      { type: 'dns', value: 'b' },
    ]);
  });

  it('leaves out kinds that nobody logs in by, and takes nothing for none', () => {
    expect(parseAlternativeNames('othername:<unsupported>, DirName:CN=x, DNS:c, Registered ID:1.2')).toEqual([
      { type: 'dns', value: 'c' },
    ]);
    expect(parseAlternativeNames('DirName:"CN=x\\u002cO=y", DNS:c')).toEqual([{ type: 'dns', value: 'c' }]);
    expect(parseAlternativeNames('')).toEqual([]);
  });
});
