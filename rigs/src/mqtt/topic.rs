//! Topic names and topic filters (§4.7), checked before they are sent.

use super::settings::MqttError;

pub(super) fn legal_topic(topic: &str) -> Result<(), MqttError> {
    if topic.contains(['#', '+']) {
        return Err(MqttError::Settings("a topic name holds no wildcard"));
    }
    legal_filter(topic)
}

pub(super) fn legal_filter(filter: &str) -> Result<(), MqttError> {
    if filter.is_empty() || filter.len() > usize::from(u16::MAX) || filter.contains('\0') {
        return Err(MqttError::Settings(
            "a topic has 1..=65535 bytes and no U+0000",
        ));
    }
    // [MQTT-4.7.1-1], [MQTT-4.7.1-2]: wildcards stand alone in their level, `#` in the last one.
    let levels: Vec<&str> = filter.split('/').collect();
    let last = levels.len() - 1;
    let wrong = levels.iter().enumerate().any(|(at, level)| {
        (level.contains('#') && (*level != "#" || at != last))
            || (level.contains('+') && *level != "+")
    });
    if wrong {
        Err(MqttError::Settings(
            "a wildcard stands alone in its level, `#` in the last one",
        ))
    } else {
        Ok(())
    }
}
