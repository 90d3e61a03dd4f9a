"""A resident's words as they may leave this house: whoever they are about cannot be told from them.

Pure, and stricter than what colleagues read (core.masking): rather a harmless number too many is
taken out than one phone too few. What must not live here: sending it.
"""

import re
import unicodedata
from collections.abc import Iterable

LONGEST = 1000
NUMBER, NAME, PLATE, DOOR, MAIL, ACCOUNT = (
    f"[{word}]" for word in ("号码", "姓名", "车牌", "门牌", "邮箱", "账号")
)

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CHINESE_DIGITS = "零〇○一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖"
_DIGIT = f"[0-9{_CHINESE_DIGITS}]"
# However a number is broken up: by spaces, dashes, dots, brackets, stars; six digits and more are
# a phone, an ID or account number until the opposite is known. Also what is starred out already.
_BETWEEN = rf"[^0-9A-Za-z{_HAN}○]{{0,4}}"
_LONG = re.compile(rf"\+?{_DIGIT}(?:{_BETWEEN}{_DIGIT}){{5,}}(?:{_BETWEEN}[Xx])?")
_STARRED = re.compile(r"[0-9A-Za-z]*[*＊]{2,}[0-9A-Za-z*＊]*")
_MAIL = re.compile(r"[\w.+-]+\s?@\s?[\w-]+(?:\.[\w-]+)*", re.ASCII)
_LINK = re.compile(r"(?:https?://|www\.)[^\s\u3000-\u303f\uff00-\uffef\u4e00-\u9fff]+")
_ACCOUNT = re.compile(
    r"((?:微信号?|QQ号?|qq号?|抖音号?|支付宝|账号|帐号|vx|VX|wx|WX)\s?(?:[:：是为]\s?)?)[A-Za-z0-9][\w.-]{3,}",
    re.ASCII,
)
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领]\s?[A-Za-z]\s?[·.]?\s?"
    r"(?:[A-Za-z0-9]\s?){5,6}(?![A-Za-z0-9])"
)
_LATIN_ID = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z0-9]*[0-9]{4})[A-Za-z0-9]{6,}(?![A-Za-z0-9])")

_COUNT = (
    r"(?:[0-9]{1,5}[A-Za-z]?|[A-Za-z][0-9]{0,4}|[一二三四五六七八九十百零〇两]{1,5}"
    r"|[甲乙丙丁东西南北])"
)
# A day of a month and what is counted are no doors.
_NO_DOOR = r"(?!线|公路|国道|文|令|通知|上午|下午|早上|晚上|那天|之前|以后|左右|开始)"
_DOOR = re.compile(
    rf"(?<![月0-9])(?:{_COUNT}\s?(?:-|—|#|之|附)\s?)*{_COUNT}\s?"
    r"(?:号楼|号院|号门(?!口|前|外)|号房|单元|门牌|栋|幢|座|弄|室|户(?!口|籍|外)|楼(?!上|下|道|顶|梯|房|层)|层"
    rf"|号{_NO_DOOR})"
    rf"(?:\s?{_COUNT}\s?(?:号楼|号院|号门(?!口|前|外)|号房|单元|门|室|户|层|楼|号))*(?:\s?[0-9]{{1,5}})?"
)
_DASHED = re.compile(r"(?<![0-9])[0-9]{1,3}\s?[-—#]\s?[0-9]{1,3}(?:\s?[-—#]\s?[0-9]{1,4})?")

_SURNAMES = (
    "王李张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕"
    "丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武"
    "戴莫孔向汤常温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯"
    "纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪"
    "简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎"
    "甄丛仲虞敖巩明佘池查麻苑迟邝"
)
_END = r"(?=[，。、,.;；:：！!？?\s（(【\[]|$|家|的|住|电|手|在|和|与|跟|男|女|身|是)"
_CALLED = re.compile(
    r"((?:我(?:的?名字)?叫做?|本人(?:名?叫)?|姓名(?:是|为)?|名字(?:是|叫)?|名叫|联系人(?:是|为)?|"
    r"户主(?:是|为|叫)?|当事人|申请人|投诉人|报告人|反映人|来电人|签名|落款|收件人)\s?[:：]?\s?)"
    rf"((?!是|在|不|家|的|住)(?:[{_HAN}](?:\s[{_HAN}]){{1,2}}(?![{_HAN}])|"
    rf"[{_HAN}](?:\s?[{_HAN}·]){{1,3}}?)){_END}"
)
# "I am" is followed by much that is no name.
_I_AM = re.compile(rf"((?:我|本人|这里|这边)是\s?)([{_SURNAMES}](?:\s?[{_HAN}·]){{1,2}}?){_END}")
_TITLED = re.compile(
    rf"([{_SURNAMES}])([{_HAN}]{{0,2}})(?=先生|女士|小姐|师傅|大爷|大妈|大叔|大姐|大哥|老师|医生|"
    r"书记|主任|村长|队长|经理|老板|同志|阿姨|叔叔|奶奶|爷爷)"
)


def masked(text: str, *, known: Iterable[str] = ()) -> str:
    """Return at most LONGEST signs of a text with everything taken out that points to somebody.

    Phones, ID and account numbers, mail and net addresses, plates, doors, names where a text
    says that it names somebody; ``known`` names wherever they stand.

    >>> masked("我叫张小明，住翠园小区3号楼2单元501，电话19900001234，车牌豫A12345")
    '我叫[姓名],住翠园小区[门牌],电话[号码],车牌[车牌]'
    """
    text = _plain(text)
    for name in sorted({_plain(name).strip() for name in known}, key=len, reverse=True):
        if len(name) > 1:
            text = text.replace(name, NAME)
    text = _LINK.sub(MAIL, text)
    text = _MAIL.sub(MAIL, text)
    text = _ACCOUNT.sub(rf"\1{ACCOUNT}", text)
    text = _PLATE.sub(PLATE, text)
    text = _STARRED.sub(NUMBER, text)
    text = _LONG.sub(NUMBER, text)
    text = _LATIN_ID.sub(ACCOUNT, text)
    text = _I_AM.sub(rf"\1{NAME}", text)
    text = _CALLED.sub(rf"\1{NAME}", text)
    text = _TITLED.sub(NAME, text)
    text = _DOOR.sub(DOOR, text)
    text = _DASHED.sub(DOOR, text)
    return text[:LONGEST].strip()


def _plain(text: str) -> str:
    """Return a text in one way of writing: no full-width or circled digits, no unseen signs."""
    text = unicodedata.normalize("NFKC", text)
    kept = []
    for sign in text:
        kind = unicodedata.category(sign)
        if kind == "Nd" and not sign.isascii():
            kept.append(str(unicodedata.digit(sign)))
        elif kind not in {"Cf", "Cs", "Co", "Cn", "Mn", "Me"} and (kind != "Cc" or sign in "\n\t"):
            kept.append(sign)
    return "".join(kept)
